/*
 * The two lists of names in a Maildir: `subscriptions`, one folder name in
 * modified UTF-7 per line, and our own of special uses, one "\Use name" per
 * line. The first can also be in Dovecot's newer format (levels separated by
 * tabs).
 */
#ifndef MAILBOX_NAMES_H
#define MAILBOX_NAMES_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "mailbox/store.h"

/* The lines of the small file FILE of the Maildir. A missing one has none. */
int names_lines(struct store *s, const char *file, struct strlist *l);

/* Names (UTF-8) that are subscribed. A missing file is an empty list. */
int names_subscribed(struct store *s, struct strlist *l);
int names_subscribe(struct store *s, const char *name, bool on) MUST_CHECK;

/* Pairs: use, name, use, name … as set by CREATE. */
int names_uses(struct store *s, struct strlist *l);
/* Sets (or with NULL removes) the use of NAME; and the same under the user's
 * lock. */
int names_set_use(struct store *s, const char *name, const char *use)
	MUST_CHECK;
int names_put_use(struct store *s, const char *name, const char *use)
	MUST_CHECK;

/* USE is the use of NAME and of no other folder (RFC 6154 section 5.4); with
 * NULL it has none, also if its name is a usual one. Under the user's lock. */
int names_give_use(struct store *s, const char *name, const char *use)
	MUST_CHECK;

/* The use of folder NAME: from L, or by its usual name; or NULL. */
const char *names_use_of(const struct strlist *l, const char *name);

/* The use of folders that are called NAME, whatever L says; or NULL. */
const char *names_usual_use(const char *name);

/* Is USE one of RFC 6154? Then its usual spelling, else NULL. */
const char *names_known_use(const char *use);

/* FROM and all below it will be called TO, where no folder is: each will have
 * the same use there. Subscriptions are left to the client (RFC 3501 section
 * 6.3.5). Then names_forget, for FROM, or for TO if nothing came of it: NAME and
 * all below it have no use. Both under the user's lock. */
int names_prepare(struct store *s, const char *from, const char *to) MUST_CHECK;
int names_forget(struct store *s, const char *name) MUST_CHECK;

#endif
