/*
 * The text of the users file, posthorn-users(5). Passwords are in it: what is
 * said about a line holds nothing of it.
 */
#ifndef TABLE_USER_LINE_H
#define TABLE_USER_LINE_H

#include <stdbool.h>
#include <sys/types.h>

#include "client/quota.h"
#include "table/text.h"

struct user {
	char *name; /* user@domain in lower case */
	char *hash; /* for crypt(3), without prefix; "": no login */
	char *home;
	char *maildir;
	uid_t uid;
	gid_t gid;
	struct quota_limits quota; /* QUOTA_DEFAULT where the line has none */
	char *quota_rules; /* of trees of folders; NULL: those of all */
	char *proxy; /* words of table/proxy.h, which may be wrong, if logins go
		      * elsewhere; or NULL */
	bool refused; /* the user exists, but the rest of the line is
		       * wrong */
};

struct user_defaults {
	uid_t uid;
	gid_t gid;
	const char *base; /* virtual_mailbox_base */
};

/* Calls TAKE for each user of TEXT, N bytes that came from R's file and may be
 * written to; TAKE owns USER. Of two lines for one name the first counts. Each
 * fault is noted in R. */
void users_parse(const struct text_reading *r, char *text, size_t n,
		 const struct user_defaults *defaults,
		 void (*take)(void *context, struct user *user, unsigned line),
		 void *context);

/* Parses LINE, modifying it. Gives the user, free with user_free; NULL with
 * *WHY NULL for an empty line or a comment, else *WHY says what is wrong. A
 * fault after a valid name gives a user that is refused, an unusable password
 * one that cannot log in, and limits that are not understood one with those of
 * all: these also set *WHY, and so does what is wrong with U->proxy. */
struct user *user_parse(char *line, const struct user_defaults *defaults,
			const char **why);
void user_free(struct user *u);

/* The hash for crypt(3) in TEXT, which may begin with a {SCHEME}; "" if nobody
 * can log in with it, with *WHY if that is not said plainly. */
const char *user_hash(const char *text, const char **why);

/* The first uid that a mailbox may belong to: nobody logs in as root. */
#define USER_UID_MIN 1

#endif
