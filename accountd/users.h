/*
 * The virtual users: virtual_users_file, posthorn-users(5), in memory. It is
 * read again when it has changed, which is checked at most once a second. If
 * the file cannot be read, the former content stays in use, and the log says
 * why; if it could never be read, every answer is USERS_TEMP. A faulty line is
 * logged with its number; while there is one that is not understood, a name
 * that is not found is USERS_UNSURE. The cause of USERS_UNSURE and USERS_TEMP is
 * in err_why(ERR_TEMP).
 */
#ifndef ACCOUNTD_USERS_H
#define ACCOUNTD_USERS_H

#include <stdbool.h>
#include <sys/types.h>

#include "config/config.h"
#include "table/user-line.h"

enum users_status {
	USERS_FOUND,
	USERS_NONE,
	USERS_UNSURE, /* none, but a line was not understood */
	USERS_TEMP
};

/* Reads virtual_uid_maps and the like; the file itself at first use. Ends the
 * process if they are wrong. */
void users_begin(const struct config *c);

/* The user NAME (user@domain, lower case). *USER is valid until the next
 * call. */
enum users_status users_find(const char *name, const struct user **user);

/* A hash of the kind that most users have, to spend the same time on a name
 * that does not exist. Valid until the next users_find. */
const char *users_dummy_hash(void);

#endif
