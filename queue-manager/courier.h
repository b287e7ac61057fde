/*
 * Connections to the deliverers. Each is served by one process there, which
 * gets a few jobs of one destination ahead, so that it need not wait, and
 * answers them in order. A free connection is kept for a while: for
 * remote-send it may hold an SMTP session with its destination.
 */
#ifndef QUEUE_MANAGER_COURIER_H
#define QUEUE_MANAGER_COURIER_H

#include "queue-manager/dest.h"
#include "queue-manager/qmgr.h"

/* Jobs on one connection. Those for one mailbox are done together. */
#define COURIER_DEPTH(transport) ((transport) == TRANSPORT_LOCAL ? 32u : 4u)

/* Hands out jobs while there are destinations ready and couriers free. */
void courier_run(struct qmgr *q);

/* May one more delivery to D begin, as far as its share goes? */
bool courier_has_room(const struct qmgr *q, const struct destination *d);

/* Jobs that deliverers have. */
size_t courier_jobs(const struct qmgr *q);

/* D is about to be freed. */
void courier_forget(struct qmgr *q, const struct destination *d);

/* Once a second: closes what was idle for long. */
void courier_tick(struct qmgr *q);

#endif
