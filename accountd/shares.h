/*
 * To whom users have opened folders: for each identifier of their access lists
 * (RFC 4314) which users name it. This only says where it is worth looking; what
 * is allowed there is said by the lists, which their users' processes read. So
 * one entry too many grants nothing, and one too few hides folders until the
 * list is changed, or `posthorn mailbox acl` is run.
 *
 * An entry is an empty file, IDENTIFIER/OWNER, which several instances of
 * accountd can read and make without a lock.
 */
#ifndef ACCOUNTD_SHARES_H
#define ACCOUNTD_SHARES_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

/* In DIR, which need not exist. */
void shares_begin(const char *dir);

/* OWNER names IDENTIFIER: durable. */
int shares_add(const char *owner, const char *identifier) MUST_CHECK;

/* OWNER does so no longer. */
int shares_remove(const char *owner, const char *identifier) MUST_CHECK;

/* OWNER names all of IDENTIFIERS, and no others. */
int shares_set(const char *owner, const struct strlist *identifiers) MUST_CHECK;

/* Does OWNER name USER, or anyone? */
bool shares_have(const char *owner, const char *user);

/* All who name USER, or anyone, but USER; sorted, at most SHARES_MAX. */
#define SHARES_MAX 1000
void shares_owners(const char *user, struct strlist *owners);

#endif
