/*
 * Parked sessions: connections of clients that have nothing to say, of
 * sessions that have no process. Each costs a descriptor and a kilobyte or
 * two: the session's ticket and state, which are not understood here. When
 * the client speaks or a folder has changed, accountd gets all of it and makes
 * it a process's again; what accountd cannot take now is offered again.
 *
 *	NEW	the process of the session still has it
 *	HELD	waits
 *	QUEUED	is due; others are before it
 *	OFFERED	accountd has been asked to take it
 */
#ifndef MAILBOX_FEED_PARKED_H
#define MAILBOX_FEED_PARKED_H

#include <event2/event.h>
#include <stdbool.h>

#include "ipc/ipc.h"

struct parked;

/* Called when a connection is somebody else's, or has ended: frees it. */
typedef void parked_over(void *context);

/* Called once. MAX: how many there may be. */
void parked_setup(struct event_base *base, unsigned max);

/* Is there room for one more? */
bool parked_have_room(void);

/* How many sessions of WHOM are parked: a user, or one at an address. */
unsigned parked_count(const char *whom);

/* The session that the packet M brings, of a USER and of that one at an
 * address, the PAIR. NULL: it is malformed. */
struct parked *parked_new(struct ipc_in *m, const char *user, const char *pair,
			  parked_over *over, void *context);

/* Its process is gone: from now on it waits here. */
void parked_begin(struct parked *p);

/* A folder has changed. */
void parked_wake(struct parked *p);

/* Forgets it, and closes our descriptor of its connection. */
void parked_free(struct parked **p);

/* The suite stops: all are told. */
void parked_stop(void);

#endif
