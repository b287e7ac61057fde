/* Becoming a user, in a process made for that. */
#ifndef LOCAL_DELIVER_IDENTITY_H
#define LOCAL_DELIVER_IDENTITY_H

#include "local-deliver/local.h"

/* The ids behind default_privs; false if there is no such user. */
bool identity_find(const char *name, struct identity *id);

/* For a process just forked: closes every descriptor but 0 to 2, the log and
 * KEEP[N], and becomes ID irrevocably (without root nothing changes). Ends the
 * process if that fails. */
void identity_become(const struct identity *id, const int *keep, size_t n);

#endif
