/*
 * The administrator's requests on the public socket (qmgr/admin.h is the
 * other side). Anyone may connect and look; to act, or to get a message's
 * content, one must be root or the queue's user. Long answers are sent as
 * the asker takes them, long actions go on beside other work.
 *
 *     list    [id]       -> message… [recipients…], end: scanning,
 *                           strange
 *     show    id         -> text…, end: offset, length + descriptor
 *     hold, release, flush, requeue, bounce, delete
 *             id or ALL  -> done: count
 *     stats              -> stats
 *
 * While the queue is scanned at start an action for ALL waits for the scan's
 * end, what is about one message until it is found.
 *
 * and to all of them, failed: code (not-found, denied, syntax, disk,
 * busy: the scan takes too long), why.
 */
#ifndef QUEUE_MANAGER_CONTROL_H
#define QUEUE_MANAGER_CONTROL_H

#include "queue-manager/message.h"
#include "queue-manager/qmgr.h"

/* One administrator's connection. */
struct control {
	struct qmgr *q;
	int sock;
	bool trusted;			/* may act */
	struct event *readable, *more;
	struct event *writable;
	const struct control_action *action; /* asked for, or NULL */
	void (*act)(struct control *c);	/* begins the answer … */
	bool asking;			/* … and was not called yet */
	time_t asked_at;		/* tick */
	bool all;			/* it is about all, or … */
	uint32_t number;		/* … about this slot */
	bool (*step)(struct control *c);/* what is being answered, or NULL:
					 * a step; false when it is over */
	uint32_t cursor;		/* next slot number to look at */
	bool scanning;			/* when the list began */
	unsigned asked;			/* ASKED_ for an action; 0: release */
	unsigned states;		/* it is for: a bit for each */
	int64_t count;
	char *failure;			/* why it was not done to some */
	struct message item;		/* that is being listed */
	size_t at;			/* next recipient, byte of `text` */
	struct buf text;
	struct ipc_out out;		/* packet to send; kept while busy */
	bool unsent;
	bool moved;			/* a packet was sent of late */
};

/* Begins to accept at L. */
void control_start(struct qmgr *q, const struct prefork_listener *l);

/* Sends c->out now or when the asker can take it. */
void control_send(struct control *c);

/* list.c: what `list` and `show` do for each step. */
bool list_step(struct control *c);
bool show_begin(struct control *c, struct slot *slot);
bool show_step(struct control *c);

#endif
