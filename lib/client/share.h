/*
 * What a session asks accountd about folders of other users. It shows the seal
 * that it was given with its connection, and that connection: accountd believes
 * nothing else that it says of itself (posthorn-protocol(7), public/accountd).
 */
#ifndef CLIENT_SHARE_H
#define CLIENT_SHARE_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "client/account.h"

struct share {
	const char *socket; /* absolute path of public/accountd */
	const char *user;   /* whose session it is */
	bool visit;	    /* … in which somebody else is */
	const char *seal;   /* "" without one: all calls give ERR_TEMP */
	int fd;		    /* the connection */
};

/* A connection to a session of OWNER, who has opened folders to the user: *SOCK
 * is the caller's. It begins with the tagged reply of a login, with the tag
 * "visit". ERR_NOT_FOUND: nothing is open there; ERR_TEMP. */
int share_visit(const struct share *s, const char *owner, int *sock) MUST_CHECK;

/* Who may have opened folders to the user. ERR_TEMP. */
int share_owners(const struct share *s, struct strlist *owners) MUST_CHECK;

/* The canonical form of IDENTIFIER into NAME. ERR_NOT_FOUND: there is no such
 * user; ERR_TEMP, with the cause. */
int share_find(const struct share *s, const char *identifier,
	       char name[ACCOUNT_USER_SIZE]) MUST_CHECK;

/* The same of one to whom the user is about to open folders: a session of
 * IDENTIFIER finds them from now on. */
int share_add(const struct share *s, const char *identifier,
	      char name[ACCOUNT_USER_SIZE]) MUST_CHECK;

/* No folder is open to IDENTIFIER any longer. If that cannot be told, it does
 * no harm. */
void share_remove(const struct share *s, const char *identifier);

/* For the administrator, who is asked for no seal: all identifiers that USER's
 * lists name, over SOCK, a connection to accountd. */
int share_set(int sock, const char *user,
	      const struct strlist *identifiers) MUST_CHECK;

#endif
