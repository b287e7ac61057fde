/*
 * Receivers and their slots. A receiver owns the slots that it was lent: it
 * has them open, so nobody else may get them. It is filling one of them; the
 * messages in the others are being delivered, or are done, and then it gets
 * the slot again. When it ends, the slot that it was filling is examined, since
 * it may hold a promised message; the other empty ones are removed.
 */
#include "queue-manager/intake.h"

#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "log/log.h"
#include "queue-manager/active.h"
#include "queue-manager/errand.h"
#include "queue-manager/pool.h"
#include "queue/id.h"
#include "service/loop.h"

#define OWNED_MAX 8 /* slots of one receiver; qmgr/receive.c can take more */
#define CLOSE_MAX 64

struct receiver {
	TAILQ_ENTRY(receiver) link; /* while it waits for a slot */
	struct qmgr *q;
	int sock;
	struct event *event;
	struct slot *owned; /* by slot_files.next_owned */
	size_t nowned;
	struct slot *filling;	   /* the one it got last */
	uint32_t close[CLOSE_MAX]; /* it is to close these */
	size_t nclose;
	bool hungry;
};

static void own(struct receiver *r, struct slot *slot)
{
	slot->files->owner = r;
	slot->files->next_owned = r->owned;
	r->owned = slot;
	r->nowned++;
}

static void unlink_owned(struct slot *slot)
{
	struct receiver *r = slot->files->owner;
	struct slot **at = &r->owned;

	while (*at != slot)
		at = &(*at)->files->next_owned;
	*at = slot->files->next_owned;
	slot->files->owner = NULL;
	slot->files->next_owned = NULL;
	r->nowned--;
	if (r->filling == slot)
		r->filling = NULL;
}

void intake_disown(struct slot *slot)
{
	struct receiver *r = slot->files ? slot->files->owner : NULL;

	if (!r)
		return;
	unlink_owned(slot);
	if (r->nclose < CLOSE_MAX)
		r->close[r->nclose++] = slot->number;
}

static void receiver_end(struct receiver *r)
{
	struct qmgr *q = r->q;

	while (r->owned) {
		struct slot *slot = r->owned;
		bool filling = slot == r->filling;

		unlink_owned(slot);
		/* It may have synced a message into it and told its client,
		 * but not us; or it may still be writing. */
		if (slot->state == SLOT_LENT && filling)
			errand_look(q, slot);
		else if (slot->state == SLOT_LENT)
			errand_remove(q, slot);
	}
	if (r->hungry)
		TAILQ_REMOVE(&q->hungry, r, link);
	event_free(r->event);
	close(r->sock);
	free(r);
}

/* A spare slot, opened and locked: until the last process that can write to it
 * has closed it, the scan does not take it for abandoned (scan.c). One that
 * the scan is looking at cannot be locked: then another is taken. A file
 * system without locks only loses this protection. */
static struct slot *take_open(struct qmgr *q)
{
	struct slot *slot;

	while ((slot = pool_take(q))) {
		if (slot_rw(slot) < 0 || slot_ro(slot) < 0) {
			log_error("%s", err_why(err_sys("open", "a new slot")));
			errand_remove(q, slot);
			return NULL;
		}
		if (flock(slot->files->rw, LOCK_EX | LOCK_NB) == 0 ||
		    errno != EWOULDBLOCK)
			break;
		errand_remove(q, slot);
	}
	return slot;
}

/* A slot that this receiver had before and whose message is done, or a new
 * one. */
static struct slot *find_slot(struct receiver *r, bool *fresh)
{
	struct slot *slot, *oldest = NULL;

	*fresh = false;
	if (!pool_has_space(r->q))
		return NULL;
	for (slot = r->owned; slot; slot = slot->files->next_owned) {
		if (slot->state == SLOT_LENT && slot != r->filling)
			return slot;
		if (slot != r->filling)
			oldest = slot;
	}
	slot = take_open(r->q);
	if (!slot)
		return NULL;
	if (r->nowned >= OWNED_MAX && oldest)
		intake_disown(oldest);
	*fresh = true;
	return slot;
}

/* Adds the next slot to the answer in q->out. False: there is none. */
static bool put_slot(struct receiver *r)
{
	struct ipc_out *out = &r->q->out;
	bool fresh;
	struct slot *slot = find_slot(r, &fresh);

	if (slot && fresh) {
		store_set_state(&r->q->store, slot, SLOT_LENT);
		own(r, slot);
		ipc_put_fd(out, slot->files->rw);
		ipc_put_fd(out, slot->files->ro);
	}
	r->filling = slot;
	if (!slot)
		return false;
	/* only into a packet that is sent, or the receiver would keep them */
	for (size_t i = 0; i < r->nclose; i++)
		ipc_put_int(out, "close", r->close[i]);
	r->nclose = 0;
	ipc_put_int(out, "slot", slot->number);
	ipc_put_int(out, "generation", slot->generation);
	return true;
}

/* False: the receiver takes no answer. */
static bool answer(struct receiver *r)
{
	return ipc_send(r->sock, &r->q->out, 0) == ERR_OK;
}

static bool say_no_space(struct receiver *r)
{
	ipc_begin(&r->q->out, "no-space");
	return answer(r);
}

/* Answers `open`, or makes it wait for a slot that is being made. */
static bool do_open(struct receiver *r)
{
	struct qmgr *q = r->q;

	if (!pool_has_space(q))
		return say_no_space(r);
	ipc_begin(&q->out, "slot");
	if (put_slot(r))
		return answer(r);
	if (!r->hungry)
		TAILQ_INSERT_TAIL(&q->hungry, r, link);
	r->hungry = true;
	return true;
}

static bool refuse(struct receiver *r, struct slot *slot, const char *why)
{
	log_error("a receiver's commit is refused: %s", why);
	if (slot) {
		intake_disown(slot);
		errand_remove(r->q, slot);
	}
	ipc_begin(&r->q->out, "refused");
	ipc_put(&r->q->out, "why", why);
	return answer(r);
}

static bool do_commit(struct receiver *r)
{
	struct qmgr *q = r->q;
	struct slot *slot = r->filling;
	int64_t number, generation;
	int err;

	if (!slot || !ipc_int(&q->in, "slot", 0, QUEUE_SLOT_MAX, &number) ||
	    !ipc_int(&q->in, "generation", 1, UINT32_MAX, &generation) ||
	    (uint32_t)number != slot->number ||
	    (uint32_t)generation != slot->generation)
		return refuse(r, NULL, "it is not the slot that was lent");
	r->filling = NULL;
	err = active_accept(q, slot);
	if (err)
		return refuse(r, slot, err_why(err));
	q->stats.received++;
	ipc_begin(&q->out, "queued");
	put_slot(r);
	return answer(r);
}

/* pickup says how many files it set aside, and hears no answer. */
static bool do_aside(struct receiver *r)
{
	return ipc_int(&r->q->in, "count", 0, INT64_MAX, &r->q->aside);
}

static void on_packet(evutil_socket_t sock, short what, void *arg)
{
	struct receiver *r = arg;
	bool good = false;
	int err;

	(void)what;
	err = ipc_recv((int)sock, &r->q->in, 0);
	if (err == ERR_BUSY)
		return;
	if (!err && ipc_is(&r->q->in, "open"))
		good = do_open(r);
	else if (!err && ipc_is(&r->q->in, "commit"))
		good = do_commit(r);
	else if (!err && ipc_is(&r->q->in, "aside"))
		good = do_aside(r);
	if (!good)
		receiver_end(r);
}

static void add_receiver(int sock, void *context)
{
	struct qmgr *q = context;
	struct receiver *r = mem_alloc(sizeof(*r));

	r->q = q;
	r->sock = sock;
	r->event = event_new(q->base, sock, EV_READ | EV_PERSIST, on_packet, r);
	event_add(r->event, NULL);
}

void intake_start(struct qmgr *q)
{
	loop_serve(q->base, q->service, "qmgr", add_receiver, q);
}

void intake_feed(struct qmgr *q)
{
	struct receiver *r, *next;

	for (r = TAILQ_FIRST(&q->hungry); r; r = next) {
		bool good;

		next = TAILQ_NEXT(r, link);
		ipc_begin(&q->out, "slot");
		if (!pool_has_space(q))
			good = say_no_space(r);
		else if (put_slot(r))
			good = answer(r);
		else
			return;
		TAILQ_REMOVE(&q->hungry, r, link);
		r->hungry = false;
		if (!good)
			receiver_end(r);
	}
}

void intake_slot_done(struct qmgr *q, struct slot *slot, bool reusable)
{
	if (reusable && slot->files && slot->files->owner &&
	    slot->generation < UINT32_MAX) {
		slot->generation++;
		slot->only = NULL;
		slot->attempts = 0;
		slot->asked = 0;
		store_set_state(&q->store, slot, SLOT_LENT);
		return;
	}
	intake_disown(slot);
	errand_remove(q, slot);
}
