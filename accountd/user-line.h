/* One line of the users file, posthorn-users(5). */
#ifndef ACCOUNTD_USER_LINE_H
#define ACCOUNTD_USER_LINE_H

#include <sys/types.h>

#include "accountd/users.h"

struct user_defaults {
	uid_t uid;
	gid_t gid;
	const char *base; /* virtual_mailbox_base */
};

/* Parses LINE, modifying it. Gives the user, free with user_free; NULL with
 * *WHY NULL for an empty line or a comment, else *WHY says what is wrong. A
 * fault after a valid name gives a user that is refused, and an unusable
 * password one that cannot log in: these also set *WHY. */
struct user *user_parse(char *line, const struct user_defaults *defaults,
			const char **why);
void user_free(struct user *u);

/* The first uid that a mailbox may belong to: nobody logs in as root. */
#define USER_UID_MIN 1

#endif
