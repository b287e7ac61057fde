/* System users, by name or number. */
#ifndef SERVER_USER_H
#define SERVER_USER_H

#include <stdbool.h>
#include <sys/types.h>

/* The ids of NAME: "name", "1000", or "1000:1000" (a bare number is also its
 * own group, unless the system knows better). False if there is no such
 * user. Reads the system's user database: call it before chroot. */
bool user_find(const char *name, uid_t *uid, gid_t *gid);

/* The id of the group NAME: a number, a group, or a user, meaning its own
 * group. Otherwise as above. */
bool group_find(const char *name, gid_t *gid);

#endif
