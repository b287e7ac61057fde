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

/* Takes LINE apart, which it changes. The user, free with user_free; NULL
 * with *WHY NULL for an empty line or a comment, else *WHY says what is
 * wrong. What is wrong behind a good name makes one who is refused, and a
 * password that cannot be used one who cannot log in: these set *WHY, too. */
struct user *user_parse(char *line, const struct user_defaults *defaults,
			const char **why);
void user_free(struct user *u);

/* The first uid that a mailbox may belong to: root's mail is nobody's login. */
#define USER_UID_MIN 1

#endif
