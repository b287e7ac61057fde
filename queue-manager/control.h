/*
 * The administrator's requests on the public socket (qmgr/admin.h is the
 * other side). Anyone may connect and look; to act, or to get a message's
 * content, one must be root or the queue's user. Long answers are sent as
 * the client takes them, long actions go on beside other work.
 *
 *     list    [id]       -> message… [recipients…], end: scanning,
 *                           strange, corrupt, aside
 *     show    id         -> text…, end: offset, length + descriptor
 *     hold, release, flush, requeue, bounce, delete
 *             id or ALL  -> done: count
 *     stats              -> stats
 *
 * All of them can be answered with failed: code (not-found, denied, syntax,
 * disk, busy: the scan takes too long), why.
 *
 * During a scan, a request for ALL waits for its end, and one for a single
 * message until that is found. To flush, release or requeue ALL begins one if
 * the last left files alone; if it takes too long, the request is met with what
 * is known then.
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
	bool scanning;			/* … was running when the list began */
	unsigned asked;			/* ASKED_… of the action */
	int64_t count;
	char *failure;			/* why it was not done to some */
	struct message item;		/* the one being listed */
	size_t at;			/* next recipient, byte of `text` */
	struct buf text;
	struct ipc_out out;		/* packet to send; kept while busy */
	bool unsent;
	bool moved;			/* a packet was sent recently */
};

/* Begins to accept at L. */
void control_start(struct qmgr *q, const struct prefork_listener *l);

/* Sends c->out now, or when the client can take it. */
void control_send(struct control *c);

/* list.c: what `list` and `show` do for each step. */
bool list_step(struct control *c);
bool show_begin(struct control *c, struct slot *slot);
bool show_step(struct control *c);

#endif
