/*
 * Messages that are being delivered. A pass begins when a message comes in or
 * is due: each recipient that is still to be delivered is routed into the
 * queue of its destination. It ends when all of them have a result; then the
 * sender is told what is necessary, and the message waits for the next pass,
 * or is done.
 */
#ifndef QUEUE_MANAGER_ACTIVE_H
#define QUEUE_MANAGER_ACTIVE_H

#include "queue-manager/dest.h"
#include "queue-manager/message.h"
#include "queue-manager/qmgr.h"
#include "qmgr/job.h"

/* Lists that an active message can be in. */
enum {
	IN_UNSURE = 1,
	IN_DIRTY = 2,
	IN_SETTLING = 4,
	IN_BOUNCE = 8,
	IN_UNWRITTEN = 16
};

struct active {
	struct slot *slot;
	struct message m;
	struct load_list loads;		/* its recipients, by destination */
	unsigned pending;		/* recipients in queues and jobs */
	unsigned jobs;			/* with deliverers */
	unsigned losses;		/* jobs whose deliverer died */
	unsigned lists;			/* IN_… */
	bool bouncing;			/* the bouncer is at work */
	bool give_up;			/* bounce failed: wait in any case */
	bool parking;			/* the pass is over, and recorded */
	bool stuck;			/* its journal cannot be written */
	bool waited;			/* for a host, with patience: enough */
	unsigned kinds;			/* what the bouncer is to tell: TOLD_ */
	TAILQ_ENTRY(active) unsure, dirty, settling, bounce, unwritten;
};

/* Accepts the message that a receiver has written into SLOT. From now on it is
 * promised. ERR_OK, or why it cannot be accepted. */
int active_accept(struct qmgr *q, struct slot *slot);

/* Begins passes for messages that are due, as far as there is room. */
void active_run_due(struct qmgr *q);

/* A deliverer's result for one recipient, which is no longer pending. */
void active_result(struct qmgr *q, struct active *a, const struct result *r,
		   enum transport t);

/* A deliverer has one job less of A. */
void active_job_ended(struct qmgr *q, struct active *a);

/* A recipient that was pending is not tried in this pass: dsn, reply and flags
 * of WHY say why. */
void active_skip(struct qmgr *q, struct active *a, unsigned index,
		 const struct result *why);

/* A recipient that was pending, and that the deliverer of D has not tried, goes
 * back to D's queue, unless it must not be tried now. */
void active_again(struct qmgr *q, struct active *a, struct destination *d,
		  const char *sender, unsigned index);

/* The bouncer told the sender, or could not. */
void active_told(struct qmgr *q, struct active *a, bool good);

/* The administrator's request for a message in any state. ERR_OK, or why the
 * disk does not take it: then nothing changed. */
MUST_CHECK int active_ask(struct qmgr *q, struct slot *slot, unsigned asked);

/* At the end of each wake-up: ends passes, writes journals. */
void active_settle(struct qmgr *q);

/* Once a second: records that messages were promised; retries failed
 * writes. */
void active_tick(struct qmgr *q);

#endif
