/*
 * The authserv-id of an Authentication-Results field (RFC 8601 section 2.3):
 * is it our name? Programs take many things for white space and decode what
 * they can, so every name before the results counts that any of them could
 * take for the id.
 */
#ifndef ADDRESS_AUTHSERV_H
#define ADDRESS_AUTHSERV_H

#include <stdbool.h>
#include <stddef.h>

/* Is VALUE, N that of a field in the name of HOST, in whatever spelling:
 * U-labels (RFC 8616), case, quotes, comments, encoded words? */
bool address_authserv_is(const char *value, size_t n, const char *host);

#endif
