/*
 * A parent watches its children by their signs of life (base/heartbeat.h),
 * which are in memory that both share: no child has to listen for questions
 * while it works, and working children are left alone. A child that gives no
 * sign for service_watchdog_timeout hangs: it is made to write its stack, which
 * is logged, and killed.
 *
 * The parent calls watch_round at least every watch_turn_ms, and then
 * watch_look for each child. If it is late itself, everything stood still, and
 * no child is blamed.
 */
#ifndef SERVER_WATCH_H
#define SERVER_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/heartbeat.h"

struct watched {
	heartbeat_due due_ms;
	int64_t killed_ms; /* the parent's: when it began to kill it, or 0 */
};

/* A child hangs after PATIENCE_MS without a sign; 0: never. Call it before
 * forking any child that is to write its stack. */
void watch_begin(int64_t patience_ms);

/* Zeroed memory for N of them, shared with children; NULL with errno. */
struct watched *watch_share(size_t n);

/* In the parent before the fork; then in the child, which from now on has to
 * give signs. With TELLS it can write its stack: not for a child that will
 * close descriptors that it does not know. */
void watch_prepare(struct watched *w);
void watch_me(struct watched *w, bool tells);

/* In the parent. How long it may wait until the next round; -1: for ever.
 * After a time without watching, call watch_resume first. */
int watch_turn_ms(void);
void watch_round(void);
void watch_resume(void);

/* Does the child hang? */
bool watch_is_late(struct watched *w);

/* Looks at the child PID, and kills it if it hangs. True if it was just found
 * to hang, which is logged under NAME. */
bool watch_look(struct watched *w, pid_t pid, const char *name);

#endif
