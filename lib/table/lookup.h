/*
 * Looking up mail addresses in tables: whole, then by parts, with and
 * without the extension (user+ext), in the orders that Postfix documents in
 * virtual(5) and aliases(5). What an extension is, address_split of
 * address/address.h says.
 */
#ifndef TABLE_LOOKUP_H
#define TABLE_LOOKUP_H

#include <stdbool.h>

#include "base/buf.h"
#include "table/table.h"

/* virtual_alias_maps: user+ext@domain, user@domain, then user+ext and user if
 * BARE (the domain is myorigin or in mydestination), then @domain. Pattern
 * tables are asked for the whole address alone. ERR_OK, ERR_NOT_FOUND or
 * ERR_TEMP as table_get. *EXTENSION (may be NULL) gets the extension if the
 * key that was found is without it: it is to be put to the addresses in
 * VALUE; else it points to an empty string. It points into ADDRESS, up to
 * its last @: *EXTENSION_N bytes. */
int lookup_virtual(const struct table_list *maps, const char *address,
		   const char *delimiters, bool bare, struct buf *value,
		   const char **extension, size_t *extension_n);

/* alias_maps: the local part, unquoted: name+ext, then name. *EXTENSION as
 * above; *FROM gets the table that answered. */
int lookup_alias(const struct table_list *maps, const char *local,
		 const char *delimiters, struct buf *value,
		 const char **extension, struct table **from);

#endif
