/*
 * The checkers: a small pool of processes that run crypt(3) and PAM, which are
 * slow, so that accountd's loop need not wait.
 */
#ifndef ACCOUNTD_CHECK_H
#define ACCOUNTD_CHECK_H

#include <event2/event.h>
#include <stdbool.h>
#include <sys/types.h>

enum check_result {
	CHECK_RIGHT,
	CHECK_WRONG,
	CHECK_TEMP /* cannot be checked now */
};

/* Forks the parent of the checkers, which keeps the rights of this process if
 * PAM (for system users) is wanted, else becomes UID and GID, like this
 * process later. A checker that hangs for PATIENCE_MS is killed
 * (server/watch.h). Gives the parent's process id. */
pid_t check_fork(bool pam, uid_t uid, gid_t gid, int64_t patience_ms);

/* In the loop: prepares to ask. HUNG is called when the parent of the checkers
 * hangs, which may run as root, so that we cannot kill it. */
void check_begin(struct event_base *base, void (*hung)(void));

struct check;

/* The result; called once, never from within check_ask. */
typedef void check_done(void *context, enum check_result result);

/* Checks PASSWORD (copied, and wiped later) against HASH, or, if that is NULL,
 * by PAM for the system user USER from CLIENT. NULL if too many wait. */
struct check *check_ask(const char *hash, const char *user, const char *client,
			const char *password, check_done *done, void *context);

/* Nobody waits for it any more: DONE is not called. */
void check_cancel(struct check *c);

#endif
