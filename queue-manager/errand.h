/*
 * What becomes of a slot that qmgr is done with: keeper removes its file, puts
 * it aside, or looks at what is in it. Until keeper has answered, the number
 * stays in the store, so that earlier findings of the scan that are still on
 * their way are not believed; keeper reports those before it answers. If it
 * dies before, a new one is asked again.
 */
#ifndef QUEUE_MANAGER_ERRAND_H
#define QUEUE_MANAGER_ERRAND_H

#include "queue-manager/qmgr.h"

/* SLOT is empty or done, and so no longer a slot: its file is removed. */
void errand_remove(struct qmgr *q, struct slot *slot);

/* A process that had SLOT's file may have written a message into it without
 * telling us, or may still be writing. */
void errand_look(struct qmgr *q, struct slot *slot);

/* SLOT's file is not what it should be: it goes to corrupt/, with a log line
 * that says WHY, and ID if that is not "". */
void errand_put_aside(struct qmgr *q, struct slot *slot, const char *id,
		      const char *why);

/* At the end of each wake-up, and once a second: keeper is told. */
void errand_flush(struct qmgr *q);
void errand_tick(struct qmgr *q);

/* Keeper was restarted: everything unanswered is asked again. */
void errand_again(struct qmgr *q);

/* Its answers, in q->in. */
void errand_on_anew(struct qmgr *q);
void errand_on_looked(struct qmgr *q);

#endif
