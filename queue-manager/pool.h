/*
 * Slots made ahead of need, their removal, and the scan at start: qmgr's
 * side of keeper.h.
 */
#ifndef QUEUE_MANAGER_POOL_H
#define QUEUE_MANAGER_POOL_H

#include "queue-manager/qmgr.h"

void pool_start(struct qmgr *q);

/* A slot that nobody had before, or NULL: then more are being made, and
 * intake_feed is called when they are there. */
struct slot *pool_take(struct qmgr *q);

/* Removes SLOT and its file; keeper is told at the end of the wake-up, by
 * pool_flush. */
void pool_remove(struct qmgr *q, struct slot *slot);
void pool_flush(struct qmgr *q);

/* Once a second: looks at the free space; tries again what failed. */
void pool_tick(struct qmgr *q);

/* May mail be taken in? */
bool pool_has_space(const struct qmgr *q);

#endif
