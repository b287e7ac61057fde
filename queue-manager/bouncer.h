/*
 * The helper that writes notices (RFC 3464). Packet to it, with the queue
 * file for reading attached:
 *
 *     notice   generation, kinds (a sum of TOLD_ values)
 *
 * and from it, in order:
 *
 *     told     good (0 or 1)
 */
#ifndef QUEUE_MANAGER_BOUNCER_H
#define QUEUE_MANAGER_BOUNCER_H

#include "queue-manager/message.h"

struct qmgr;

/* Is the sender still to be told K about R? */
bool bouncer_concerns(const struct recipient *r, const struct told_kind *k);

/* Runs in the child. */
int bouncer_run(struct qmgr *q, int sock);

#endif
