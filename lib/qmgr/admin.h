/*
 * Looking at the queue and changing it: the side of `posthorn queue` and
 * mailq. Each call makes a new connection to the public socket of qmgr.
 * Anyone may look; only root and the queue's user may act, or read the content
 * of a message.
 */
#ifndef QMGR_ADMIN_H
#define QMGR_ADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

enum queue_state {
	QUEUE_ACTIVE,	/* is being delivered */
	QUEUE_WAITING,	/* for the next try */
	QUEUE_HELD	/* until it is released */
};

/* One recipient that is not done, in the list. */
struct queue_item_recipient {
	const char *address;
	const char *reason;	/* why it waits: the last reply, or "" */
};

/* One message of the list; all strings live during the call to `each`. */
struct queue_item {
	const char *id;
	enum queue_state state;
	const char *sender;	/* "" is the null sender */
	int64_t size;		/* of the content, bytes */
	int64_t arrival;	/* seconds since 1970 */
	int64_t next;		/* next try, seconds since 1970; 0: none */
	unsigned attempts;
	const struct queue_item_recipient *recipient;
	size_t nrecipients;
};

/* About the list as a whole. */
struct queue_summary {
	bool scanning;		/* when the list began, the scan at start was
				 * still running: messages may be missing */
	int64_t strange;	/* files that qmgr left alone: its log names
				 * them, and they may be messages */
	int64_t corrupt;	/* damaged files that it moved to corrupt/ */
	int64_t aside;		/* files in drop/ that pickup cannot take */
};

struct queue_stats {
	int64_t active, waiting, held;	/* messages by state */
	int64_t received, delivered, deferred, bounced;
					/* since qmgr started; the first in
					 * messages, the others in recipients */
	int64_t destinations, dead;	/* known to the scheduler; down */
	int64_t slow, slow_jobs;	/* … that were slow; deliveries that
					 * count as slow, now */
	int64_t slots;			/* files in use or made ahead */
	int64_t strange;		/* files that were left alone */
	int64_t corrupt;		/* those in corrupt/; 0 from a qmgr of
					 * a version that did not say … */
	int64_t aside;			/* … those in drop/ that pickup cannot
					 * take; 0 if not said, too */
	bool scanning;			/* the scan at start is running */
	bool intake_stopped;		/* for lack of disk space */
};

enum queue_action {
	QUEUE_HOLD,	/* no try until release */
	QUEUE_RELEASE,	/* ends hold: tried at once */
	QUEUE_FLUSH,	/* tried at once, also if its destination is down */
	QUEUE_REQUEUE,	/* routed anew and tried as if just received */
	QUEUE_BOUNCE,	/* given up: returned to its sender */
	QUEUE_DELETE	/* removed; nobody is told */
};

/* PATH below: NULL for the configured place, RUN_DIR/public/qmgr, or the
 * socket's absolute path. On every error a text for people is appended to WHY:
 * ERR_TEMP qmgr does not run, ERR_DENIED, ERR_NOT_FOUND no such message,
 * ERR_TIMEOUT, ERR_SYNTAX. */

/* Calls EACH for every message (ID NULL) or for one. EACH gives false to
 * stop. Messages come oldest slot first, which is not the order of ids. *SUM
 * is set when the list came to its end. */
int queue_admin_list(const char *path, const char *id,
		     bool (*each)(void *context, const struct queue_item *m),
		     void *context, struct queue_summary *sum,
		     struct buf *why);

/* What is known about one message: envelope and journal as text lines,
 * appended to TEXT. *CONTENT is a descriptor of the queue file, *OFFSET and
 * *LENGTH say where the message is in it; -1 for callers that may not read
 * it. */
int queue_admin_show(const char *path, const char *id, struct buf *text,
		     int *content, off_t *offset, off_t *length,
		     struct buf *why);

/* Does ACTION to the message ID, or to all if ID is "ALL"; *COUNT is to how
 * many. Hold and requeue of a message that is being delivered take effect when
 * that attempt ends. */
int queue_admin_act(const char *path, enum queue_action action, const char *id,
		    int64_t *count, struct buf *why);

/* Appends to TEXT a line for people about what the queue holds beside its
 * messages, each behind BEFORE: the STRANGE, CORRUPT and ASIDE files of a
 * summary or of stats. False: there is nothing to say. */
bool queue_admin_remarks(int64_t strange, int64_t corrupt, int64_t aside,
			 const char *before, struct buf *text);

/* Counts of the whole queue, into *S. */
int queue_admin_stats(const char *path, struct queue_stats *s,
		      struct buf *why);

#endif
