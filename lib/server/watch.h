/*
 * A parent watches its children by their signs of life (base/heartbeat.h),
 * which stand in memory that both share: no child has to listen to anybody
 * while it works, and what works is left alone. A child that gives no sign for
 * service_watchdog_timeout hangs: it is made to tell its stack, which is
 * logged, and killed.
 *
 * The parent calls watch_round every watch_turn_ms at the latest, and then
 * watch_look for each child. If it comes late itself, all stood still, and
 * nobody is blamed for that.
 */
#ifndef SERVER_WATCH_H
#define SERVER_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/heartbeat.h"

struct watched {
	heartbeat_due due_ms;
	int64_t killed_ms; /* the parent's: when it began to end it, or 0 */
};

/* PATIENCE_MS: the time without a sign that hangs; 0: nobody does. Before any
 * child that is to tell its stack is forked. */
void watch_begin(int64_t patience_ms);

/* Zeroed memory for N of them that children share; NULL with errno. */
struct watched *watch_share(size_t n);

/* In the parent before the fork; then in the child, which from now on has to
 * give signs, and TELLS its stack if it can: unless it will close descriptors
 * that it does not know. */
void watch_prepare(struct watched *w);
void watch_me(struct watched *w, bool tells);

/* In the parent. How long it may wait until the next round: -1, for ever. After
 * a time in which it watched nobody, watch_resume is the first. */
int watch_turn_ms(void);
void watch_round(void);
void watch_resume(void);

/* Does the child hang? */
bool watch_is_late(struct watched *w);

/* Looks at the child PID, and ends it if it hangs. True if it was found to
 * hang just now, which is logged: NAME says which one it is. */
bool watch_look(struct watched *w, pid_t pid, const char *name);

#endif
