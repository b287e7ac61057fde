/*
 * A pass is over when no recipient is pending, no job is out and no bouncer at
 * work. That may become true many times within one wake-up, and each result is
 * a record: so messages are only put on lists here (IN_DIRTY, IN_SETTLING …),
 * and active_settle writes each journal once, before the loop waits again.
 *
 * A message that a receiver handed over is IN_UNSURE until its journal says
 * `committed`: that record, unsynced, tells damage from a write that never
 * ended (posthorn-queue(5)).
 */
#include "queue-manager/active-lists.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "log/log.h"
#include "queue-manager/backoff.h"
#include "queue-manager/courier.h"
#include "queue-manager/intake.h"
#include "queue-manager/notice.h"
#include "queue-manager/pool.h"
#include "queue-manager/route.h"

static struct active *active_new(struct qmgr *q, struct slot *slot)
{
	struct active *a = mem_alloc(sizeof(*a));

	a->slot = slot;
	TAILQ_INIT(&a->loads);
	slot->active = a;
	if (slot->only)
		dest_unref(q, slot->only);
	slot->only = NULL;
	store_set_state(&q->store, slot, SLOT_ACTIVE);
	q->nactive++;
	return a;
}

void active_end(struct qmgr *q, struct active *a)
{
	DELIST(q, a, unsure, IN_UNSURE);
	DELIST(q, a, dirty, IN_DIRTY);
	DELIST(q, a, settling, IN_SETTLING);
	notice_forget(q, a);
	a->slot->active = NULL;
	q->nactive--;
	message_free(&a->m);
	free(a);
}

void active_check(struct qmgr *q, struct active *a)
{
	if (a->pending == 0 && a->jobs == 0 && !a->bouncing)
		ENLIST(q, a, settling, IN_SETTLING);
}

void active_dirty(struct qmgr *q, struct active *a)
{
	ENLIST(q, a, dirty, IN_DIRTY);
}

/* "committed" was among the records or is to be: nothing to do for it. */
static void note_sure(struct qmgr *q, struct active *a)
{
	if (a->m.committed)
		DELIST(q, a, unsure, IN_UNSURE);
}

/* Routes the recipients from FROM on that are to do. */
static void route_all(struct qmgr *q, struct active *a, size_t from)
{
	bool flush = a->slot->asked & ASKED_FLUSH;
	bool stop = a->slot->asked & (ASKED_HOLD | ASKED_BOUNCE | ASKED_DELETE);

	for (size_t i = from; i < a->m.nrcpts && !stop; i++) {
		struct recipient *r = &a->m.rcpt[i];
		struct destination *d;

		if (r->state != RECIPIENT_TODO)
			continue;
		d = route(q, &a->m, r);
		if (dest_rests(d) && !flush) {
			a->pending++;
			active_skip(q, a, (unsigned)i, d->dsn, d->reply);
			continue;
		}
		a->pending++;
		dest_add(q, d, a, recipient_sender(&a->m, r), (unsigned)i);
	}
	active_check(q, a);
}

static void log_active(const struct message *m)
{
	log_info("%s: from=<%s>, size=%jd, nrcpt=%zu (queue active)",
		 m->super.id, m->envelope.sender, (intmax_t)m->super.length,
		 m->nrcpts);
}

/* No room just now: it waits, and is due at once. Nothing of it stays open:
 * descriptors are what there is no room for. */
static void queue_up(struct qmgr *q, struct active *a)
{
	struct slot *slot = a->slot;

	message_trim(&a->m, slot_rw(slot));
	active_end(q, a);
	intake_disown(slot);
	slot_close(slot);
	store_set_state(&q->store, slot, SLOT_WAITING);
	wait_add(&q->waiting, slot, (uint32_t)q->now);
}

int active_accept(struct qmgr *q, struct slot *slot)
{
	struct active *a;
	uint32_t number;
	int err;

	slot->arrival = (uint32_t)q->now;
	slot->asked = 0;
	a = active_new(q, slot);
	err = message_load(&a->m, slot_rw(slot), slot->generation, true);
	if (!err &&
	    (!queue_id_slot(a->m.super.id, &number) || number != slot->number))
		err = ERR_SYNTAX;
	if (err) {
		active_end(q, a);
		store_set_state(&q->store, slot, SLOT_LENT);
		return err;
	}
	if ((int64_t)q->nactive > q->settings.active_limit) {
		queue_up(q, a);
		return ERR_OK;
	}
	ENLIST(q, a, unsure, IN_UNSURE);
	log_active(&a->m);
	route_all(q, a, 0);
	return ERR_OK;
}

/* A file that qmgr believed to hold a message, and which does not. */
static void begin_fails(struct qmgr *q, struct slot *slot, int err)
{
	if (err == ERR_NOT_FOUND) {
		intake_slot_done(q, slot, false);
		return;
	}
	log_error("slot %" PRIu32 ": cannot be read, tried again later: %s",
		  slot->number, err_text(err));
	slot_close(slot);
	if (slot->attempts < UINT16_MAX)
		slot->attempts++;
	store_set_state(&q->store, slot, SLOT_WAITING);
	wait_add(&q->waiting, slot,
		 (uint32_t)(q->now + backoff(&q->settings, slot->attempts)));
}

/* Begins a pass for a waiting message. */
static void begin_pass(struct qmgr *q, struct slot *slot)
{
	struct active *a = active_new(q, slot);
	int fd = slot_rw(slot), err;

	err = fd < 0 ? err_from_errno(errno)
		     : message_load(&a->m, fd, slot->generation, false);
	if (err) {
		active_end(q, a);
		intake_disown(slot);
		begin_fails(q, slot, err);
		return;
	}
	slot->arrival = (uint32_t)message_arrival(&a->m);
	slot->attempts = (uint16_t)a->m.attempts;
	a->m.trimmed = !slot->files->owner;
	if (!a->m.committed)
		ENLIST(q, a, unsure, IN_UNSURE);
	log_active(&a->m);
	route_all(q, a, 0);
}

/* Its only destination is at rest and nothing else is due: no need to read
 * the file. */
static bool can_sleep_on(const struct qmgr *q, const struct slot *slot)
{
	const struct settings *s = &q->settings;
	int64_t age = q->now - (time_t)slot->arrival;

	return slot->only && dest_rests(slot->only) && slot->asked == 0 &&
	       age < s->lifetime && age < s->bounce_lifetime &&
	       !(s->delay_warning && age >= s->delay_warning);
}

void active_run_due(struct qmgr *q)
{
	struct slot *slot;

	while ((slot = wait_first(&q->waiting)) &&
	       (time_t)slot->next <= q->now &&
	       (int64_t)q->nactive < q->settings.active_limit) {
		wait_remove(&q->waiting, slot);
		if (can_sleep_on(q, slot))
			wait_add(&q->waiting, slot,
				 (uint32_t)(slot->only->rests_until +
					    random() % 16));
		else
			begin_pass(q, slot);
	}
}

void active_note_result(struct active *a, const char *verb, unsigned index,
			const char *dsn, const char *flags, const char *relay,
			const char *reply)
{
	char number[16];

	snprintf(number, sizeof(number), "%u", index);
	NOTE(a, verb, number, dsn, flags, relay, reply);
}

static void note_expanded(struct active *a, unsigned index,
			  const struct job_result *r)
{
	const char **word = mem_array(r->nexpanded + 4, sizeof(*word));
	char number[16];

	snprintf(number, sizeof(number), "%u", index);
	word[0] = "expanded";
	word[1] = number;
	word[2] = r->owner ? "o" : "-";
	word[3] = r->owner ? r->owner : "";
	for (size_t i = 0; i < r->nexpanded; i++)
		word[4 + i] = r->expanded[i];
	message_note(&a->m, word, r->nexpanded + 4);
	free(word);
}

static void expand(struct qmgr *q, struct active *a, unsigned index,
		   const struct job_result *r)
{
	size_t before = a->m.nrcpts;

	if (a->m.rcpt[index].depth >= EXPANSIONS_MAX) {
		active_note_result(a, "failed", index, "5.4.6", "l", "local",
				   "aliases lead to aliases without end");
		q->stats.bounced++;
		return;
	}
	if (!r->done_too &&
	    message_leads_back(&a->m, index, r->expanded, r->nexpanded)) {
		active_note_result(a, "failed", index, "5.4.6", "l", "local",
				   "mail forwarding loop: it leads back here");
		q->stats.bounced++;
		return;
	}
	note_expanded(a, index, r);
	if (*r->dsn == '5') {
		active_note_result(a, "failed", index, r->dsn, "l", r->relay,
				   r->reply);
		q->stats.bounced++;
	}
	/* it is on disk before anything of it can be done twice */
	message_write_journal(&a->m, slot_rw(a->slot));
	route_all(q, a, before);
}

void active_result(struct qmgr *q, struct active *a, unsigned index,
		   const struct job_result *r, enum transport t)
{
	char flags[4] = "-";
	size_t n = 0;

	if (r->remote_reply)
		flags[n++] = 'r';
	if (r->dsn_passed)
		flags[n++] = 'p';
	if (t == TRANSPORT_LOCAL)
		flags[n++] = 'l';
	switch (r->status) {
	case JOB_SENT:
		q->stats.delivered++;
		active_note_result(a, "sent", index, r->dsn, flags, r->relay,
				   r->reply);
		break;
	case JOB_DEFERRED:
		q->stats.deferred++;
		active_note_result(a, "deferred", index, r->dsn, flags,
				   r->relay, r->reply);
		break;
	case JOB_FAILED:
		q->stats.bounced++;
		active_note_result(a, "failed", index, r->dsn, flags, r->relay,
				   r->reply);
		break;
	case JOB_EXPANDED:
		expand(q, a, index, r);
		break;
	}
	a->pending--;
	note_sure(q, a);
	active_dirty(q, a);
	active_check(q, a);
}

void active_job_ended(struct qmgr *q, struct active *a)
{
	a->jobs--;
	active_check(q, a);
}

void active_skip(struct qmgr *q, struct active *a, unsigned index,
		 const char *dsn, const char *reply)
{
	struct recipient *r = &a->m.rcpt[index];

	/* a reason of its own says more than that the destination is down */
	if (!*r->reply && dsn && reply) {
		active_note_result(a, "deferred", index, dsn, "-", "none",
				   reply);
		note_sure(q, a);
		active_dirty(q, a);
	}
	a->pending--;
	active_check(q, a);
}

void active_cancel(struct qmgr *q, struct active *a)
{
	struct load *l;

	while ((l = TAILQ_FIRST(&a->loads))) {
		a->pending -= (unsigned)l->n;
		dest_drop(q, l);
	}
	active_check(q, a);
}
