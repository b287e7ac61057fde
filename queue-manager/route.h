/*
 * Where a recipient goes: by the class of its domain (doc/architecture.md)
 * to local-deliver, else to remote-send, which gets relayhost or the domain.
 */
#ifndef QUEUE_MANAGER_ROUTE_H
#define QUEUE_MANAGER_ROUTE_H

#include "queue-manager/message.h"
#include "queue-manager/qmgr.h"

/* The destination of R. Never NULL. */
struct destination *route(struct qmgr *q, const struct message *m,
			  const struct recipient *r);

/* Delivery to our ADDRESS took long. For an hour it is not done together with
 * others of the same message, and its destination is slow. */
void route_slow(struct qmgr *q, const char *address);

/* A delivery to D, which is slow, took no time: that is forgotten. Of a mailbox
 * it may have been one of many recipients, of which another was the slow
 * one. */
void route_quick(struct destination *d);

#endif
