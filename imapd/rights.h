/*
 * What this session may do in the folders that it serves (RFC 4314): all, if
 * they are its user's. In a visit, where another user has come for them
 * (visit.h), the access lists say. This is the one place that judges: the table
 * of commands names the rights that each command needs, and flags are asked
 * about where they are changed.
 */
#ifndef IMAPD_RIGHTS_H
#define IMAPD_RIGHTS_H

#include "imapd/session.h"
#include "mailbox/acl.h"

/* Beside those of enum acl_right, in the table of commands: */
#define RIGHTS_ANY (1u << 16)	   /* one of ACL_KNOWS */
#define RIGHTS_ANNOTATE (1u << 17) /* RFC 5464 section 3.3 */

/* Those in the folder NAME. Gives a code. */
int rights_find(struct session *s, const char *name, unsigned *rights);

/* Has the client NEED in the folder NAME? Else it is told: without any right,
 * what it would be told if the folder did not exist. */
bool rights_have(struct session *s, const char *name, unsigned need);

/* All that the current command needs before it runs; false: the client is
 * told. */
bool rights_check(struct session *s);

/* The list of the selected folder may have changed since it was looked at: may
 * the client still be told what happens there? Other rights are told to it.
 * False: the session ends. */
bool rights_still_read(struct session *s);

/* In the selected folder: RIGHT? */
bool rights_may(const struct session *s, unsigned right);

/* A folder with the list ACL is gone: accountd is told of whom no other list
 * names. */
void acl_forget(struct session *s, const struct metadata *acl);

/* Appends the untagged MYRIGHTS of the folder NAME. */
void acl_put_myrights(struct session *s, const char *name, unsigned rights,
		      struct buf *out);

/* Which of enum mailbox_flag RIGHTS allow to change; keywords go with
 * ACL_WRITE. */
unsigned rights_flags(unsigned rights);

#endif
