/*
 * A sealed right: proof that a process which has become a user was given a
 * connection by accountd, after a login or for a visit (visits.h). The session
 * gets it with the connection, and shows it together with the connection's
 * descriptor when it asks for more. It holds for that user, that kind and that
 * connection alone: the kernel numbers sockets, and never gives a number twice.
 *
 * The key is kept in data_directory, so that seals outlive accountd, but not the
 * boot: then the numbers begin anew.
 */
#ifndef ACCOUNTD_BADGE_H
#define ACCOUNTD_BADGE_H

#include <stdbool.h>

#include "client/seal.h"

#define BADGE_SIZE (2 * SEAL_SIZE + 1) /* text, with the NUL */

#define BADGE_LOGIN "login"
#define BADGE_VISIT "visit"

/* Reads the key in DIR, or makes one. If it cannot be kept, seals end with this
 * process, which the log says. */
void badge_begin(const char *dir);

/* The key, for what else accountd seals. */
const struct seal *badge_key(void);

/* False: FD is no socket. */
bool badge_make(const char *kind, const char *user, int fd,
		char seal[BADGE_SIZE]);

/* Is SEAL what was made for these? */
bool badge_holds(const char *kind, const char *user, int fd, const char *seal);

#endif
