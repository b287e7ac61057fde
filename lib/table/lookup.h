/*
 * Looking up mail addresses in tables: whole, then by parts, with and
 * without the extension (user+ext), in the orders that Postfix documents in
 * virtual(5) and aliases(5). address_split (address/address.h) defines what an
 * extension is.
 */
#ifndef TABLE_LOOKUP_H
#define TABLE_LOOKUP_H

#include <stdbool.h>

#include "base/buf.h"
#include "table/table.h"

/* virtual_alias_maps: user+ext@domain, user@domain, then user+ext and user if
 * BARE (the domain is myorigin or in mydestination), then @domain, which
 * stands for addresses that have no line, so it is not asked if that is
 * unsure. Pattern tables are asked only for the whole address. ERR_OK,
 * ERR_NOT_FOUND, ERR_UNSURE or ERR_TEMP as table_get. *EXTENSION (may be NULL)
 * gets the extension if the key that was found does not have it: it is then to
 * be added to the addresses in VALUE. It points into ADDRESS, up to its last
 * @, and has *EXTENSION_N bytes; otherwise it points to an empty string. */
int lookup_virtual(const struct table_list *maps, const char *address,
		   const char *delimiters, bool bare, struct buf *value,
		   const char **extension, size_t *extension_n);

/* alias_maps: the local part, unquoted: name+ext, then name. *EXTENSION as
 * above; *FROM gets the table that answered. */
int lookup_alias(const struct table_list *maps, const char *local,
		 const char *delimiters, struct buf *value,
		 const char **extension, struct table **from);

#endif
