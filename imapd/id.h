/*
 * The arguments of ID (RFC 2971 section 3.3), before the login and after it.
 * What clients say of themselves is not used; it is only held to the bounds.
 * Trusted proxies say for whom they speak, as Dovecot's does.
 */
#ifndef IMAPD_ID_H
#define IMAPD_ID_H

#include "imapd/args.h"

/* What is wrong with the arguments A, for the client; NULL: nothing. */
const char *id_check(const struct arg *a);

/* The value that ARGS, which are valid, have for NAME, or NULL. */
const char *id_value(const struct arg *a, const char *name);

#endif
