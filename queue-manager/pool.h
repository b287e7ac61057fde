/*
 * Slots made ahead of need, and the connection with the helper that makes
 * them: qmgr's side of keeper.h, with errand.h and finding.h.
 */
#ifndef QUEUE_MANAGER_POOL_H
#define QUEUE_MANAGER_POOL_H

#include "queue-manager/qmgr.h"

void pool_start(struct qmgr *q);

/* A slot that was never lent, or NULL: then more are being made, and
 * intake_feed is called when they exist. */
struct slot *pool_take(struct qmgr *q);

/* Asks keeper to do what is in q->keeper_out. False if it takes no packet
 * now. */
bool pool_ask(struct qmgr *q);

/* Has all files examined again if the last scan left some alone: the
 * administrator may have mended them. q->scanning until that is done. */
void pool_look_again(struct qmgr *q);

/* Once a second: checks the free space; retries what failed. */
void pool_tick(struct qmgr *q);

/* May mail be taken in? */
bool pool_has_space(const struct qmgr *q);

#endif
