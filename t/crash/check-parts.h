/* Between the files of the check. */
#ifndef T_CRASH_CHECK_PARTS_H
#define T_CRASH_CHECK_PARTS_H

#include <stdarg.h>

#include "t/crash/check.h"

struct check {
	struct facts *f;
	const char *top;
	char *why;
	size_t size;
	bool failed;
};

/* Notes the first thing that is wrong. */
void check_fail(struct check *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Scans the queue, notes what is pending, delivers what is local. */
void check_queue(struct check *c);

/* Looks at what is in the drop folder of the queue, which is where we are. */
void check_drop(struct check *c);

/* Notes that a mail of TOKEN is still to be delivered. */
void check_pending(struct check *c, const char *token);

/* Opens all folders and compares them with what clients were told. */
void check_mailboxes(struct check *c);

/* Compares what tls-policy keeps, if it is there, with what it had fetched. */
void check_policies(struct check *c);

/* Fails if a file in DIR was put aside as damaged, or in a folder that is hidden
 * there, DEPTH deep. */
void check_damage(struct check *c, const char *dir, int depth);

/* Is HAS, "" for nothing, what was told last, or will be next? */
bool check_is_told(const struct setting *told, const char *has);

/* Is it known that USER has opened folders to IDENTIFIER? True as well if
 * nothing of accountd is there. */
bool check_is_shared(const struct check *c, const char *user,
		     const char *identifier);

/* Is this a bounce, and of which mail? Notes it. */
void check_bounce(struct check *c, const char *text, size_t n);

#endif
