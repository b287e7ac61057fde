/* The users that the suite's programs run as. The private sockets trust them,
 * so nobody's mailbox may belong to one: its session runs as the owner. */
#ifndef SERVICE_OWN_USERS_H
#define SERVICE_OWN_USERS_H

#include <stddef.h>
#include <sys/types.h>

#include "config/config.h"

#define OWN_USERS_MAX 6

/* What is said of one that owns a mailbox. */
#define OWN_USERS_DANGER                                                      \
	"whom the suite's own sockets trust: a session that is taken over "   \
	"could listen to all mailboxes, send as anybody and queue mail"

struct own_users {
	const char *param[OWN_USERS_MAX]; /* that names the user */
	uid_t uid[OWN_USERS_MAX];
	size_t n;
};

/* Looks them up. Unless we are root there are none: all is one user. */
void own_users_find(struct own_users *o, const struct config *c);

/* The parameter that names the user UID; NULL if UID is none of ours. */
const char *own_users_param(const struct own_users *o, uid_t uid);

#endif
