/*
 * Destinations that have work and may begin more of it, in the order in which
 * they get their turns. For each transport and share there are lanes: a
 * destination is in that of the sender whose load is next, and lanes with
 * destinations take turns. So one sender's mail to thousands of hosts, however
 * slow these are to answer, delays that of another to a new host by one
 * delivery. (Senders that happen to get the same lane share its turns.) Nor can
 * it take all processes for slow deliveries: a lane that has many of these has
 * no turns for new hosts.
 */
#ifndef QUEUE_MANAGER_READY_H
#define QUEUE_MANAGER_READY_H

#include "queue-manager/dest.h"

void ready_start(struct qmgr *q);

/* For dest_update alone: D goes in, or out. */
void ready_add(struct qmgr *q, struct destination *d);
void ready_remove(struct qmgr *q, struct destination *d);

/* The one whose turn it is, or NULL. Lanes that hold more than MOST are passed
 * over among those of new hosts. */
struct destination *ready_next(const struct qmgr *q, enum transport t,
			       enum share share, int64_t most);

/* A delivery whose sender has HASH (dest_sender_hash) is slow: gives the lane
 * that holds it, until it is released. */
unsigned ready_hold(struct qmgr *q, enum transport t, uint64_t hash);
void ready_release(struct qmgr *q, enum transport t, unsigned lane);

/* D, which ready_next gave, has its turn: then others go first. */
void ready_turn(struct qmgr *q, struct destination *d);

#endif
