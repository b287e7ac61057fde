/*
 * Names of folders that are not the client's own (RFC 2342): those of other users,
 * OTHERS "/" user "/" folder, and the public ones, PUBLIC "/" folder, which belong
 * to one account that the administrator names. Both are served in the same way
 * (others.h); they differ in their names alone, which is decided here.
 */
#ifndef IMAPD_NAMESPACE_H
#define IMAPD_NAMESPACE_H

#include "imapd/session.h"

#define OTHERS "Other Users"
#define PUBLIC "Public"

/* Is NAME in one of the two, by its form? OWNER is then the user whose folder it
 * would be, or "" if it is a level above them. To the public account its own
 * folders are no public ones. */
bool namespace_owner(const struct session *s, const char *name,
		     char owner[ACCOUNT_USER_SIZE]);

/* What comes before the names of OWNER's folders, into OUT. */
void namespace_prefix(const struct session *s, const char *owner,
		      char out[NAMESPACE_PREFIX_SIZE]);

/* Is OWNER the public account? */
bool namespace_is_public(const struct session *s, const char *owner);

/* Can PATTERN of LIST match a name of OWNER's folders, or a level above them? */
bool namespace_may_match(const struct session *s, const char *owner,
			 const char *pattern);

/* Are there public folders, which are not our user's? */
bool namespace_has_public(const struct session *s);

#endif
