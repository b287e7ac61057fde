/*
 * What became of one recipient in one delivery, in one vocabulary. The
 * deliverer sets it where it happens; job packets (qmgr/job.h), the journal
 * (posthorn-queue(5)), notices and the log use these words.
 */
#ifndef QMGR_RESULT_H
#define QMGR_RESULT_H

#include <stdbool.h>
#include <stddef.h>

struct job;
struct job_recipient;

enum result_status {
	RESULT_SENT,	 /* delivered, or taken by the next host */
	RESULT_DEFERRED, /* try again later */
	RESULT_FAILED,	 /* permanently */
	RESULT_EXPANDED	 /* stands for the addresses in `expanded`, which take
			  * its place: an alias, a list, a .forward. With a
			  * dsn of class 4 or 5, another part of it (a command,
			  * a mailbox) waits for the next try, or failed
			  * permanently */
};

/* Flags; each has a letter. */
enum {
	RESULT_REMOTE = 1,	/* `reply` is from the remote host */
	RESULT_DONE_TOO = 2,	/* EXPANDED: a copy was also delivered */
	RESULT_DSN_PASSED = 4,	/* SENT: the next host took over NOTIFY
				 * (RFC 3461), so it reports success */
	RESULT_OWNER = 8,	/* EXPANDED: there is an owner */
	RESULT_LOCAL = 16,	/* it is about this machine, not the next one */
	RESULT_SOON = 32,	/* DEFERRED: one of our programs failed, and
				 * will be back in seconds */
	RESULT_OPEN = 64	/* EXPANDED, in the journal: the outcome of
				 * another part is in the record after this;
				 * until then it is to be tried */
};

struct result {
	unsigned index;		/* of the recipient within the message */
	enum result_status status;
	unsigned flags;
	const char *dsn;	/* what failed: "2.0.0", "4.4.1" (RFC 3463) */
	const char *reply;	/* what was said about it, one line; or "" */
	const char *relay;	/* who said it: "host[ip]:port", "local" … */
	const char *const *expanded;
	size_t nexpanded;
	const char *owner;	/* with RESULT_OWNER: new sender for them */
};

/* "sent", "deferred", "failed", "expanded"; and back, false if WORD is none of
 * these. */
const char *result_name(enum result_status status);
bool result_status_of(const char *word, enum result_status *status);

/* What becomes of the recipient itself: EXPANDED beside a part that waits or
 * failed is DEFERRED or FAILED. */
enum result_status result_itself(const struct result *r);

/* What a notice calls it: "delivered", "relayed" … (RFC 3464 section 2.3.3). */
const char *result_action(enum result_status status, unsigned flags);

/* The letters of FLAGS, "-" if there are none; and back. Letters of a later
 * version are ignored. */
#define RESULT_FLAGS_SIZE 16
const char *result_letters(char out[RESULT_FLAGS_SIZE], unsigned flags);
unsigned result_flags_of(const char *letters);

/* Writes the log line for R, with DELAYS ("delay=…, delays=…") and TEXT, which
 * may say more than its reply. */
void result_log(const struct job *j, const struct job_recipient *to,
		const struct result *r, const char *delays, const char *text);

#endif
