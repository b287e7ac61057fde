/*
 * A pass is over when no recipient is pending, no job is out and the bouncer
 * is not at work for it. That may become true many times within one wake-up,
 * and each result is a record: so messages are only put on lists here
 * (IN_DIRTY, IN_SETTLING …), and active_settle writes each journal once,
 * before the loop waits again.
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
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "log/log.h"
#include "queue-manager/backoff.h"
#include "queue-manager/circle.h"
#include "queue-manager/clocks.h"
#include "queue-manager/courier.h"
#include "queue-manager/intake.h"
#include "queue-manager/notice.h"
#include "queue-manager/errand.h"
#include "queue-manager/route.h"

#define PASSES_PER_WAKEUP 100 /* begun at most */

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

void active_record(struct active *a, const char *const *word, size_t n)
{
	/* one of ours: only a fault of ours makes it senseless */
	if (!message_note(&a->m, word, n))
		log_error("%s: a record %s cannot be made", a->m.super.id,
			  word[0]);
}

bool active_write(struct qmgr *q, struct active *a)
{
	int err = message_write_journal(&a->m, slot_rw(a->slot));

	if (err && !a->stuck)
		log_error("%s: its journal cannot be written: %s; it is not "
			  "tried again until it is",
			  a->m.super.id, err_why(err));
	if (!err && a->stuck)
		log_info("%s: its journal is written again", a->m.super.id);
	if (err)
		ENLIST(q, a, unwritten, IN_UNWRITTEN);
	a->stuck = err != 0;
	return !err;
}

void active_end(struct qmgr *q, struct active *a)
{
	DELIST(q, a, unsure, IN_UNSURE);
	DELIST(q, a, unwritten, IN_UNWRITTEN);
	DELIST(q, a, dirty, IN_DIRTY);
	DELIST(q, a, settling, IN_SETTLING);
	notice_forget(q, a);
	a->slot->active = NULL;
	q->nactive--;
	message_free(&a->m);
	free(a);
}

bool active_is_over(const struct active *a)
{
	return a->pending == 0 && a->jobs == 0 && !a->bouncing;
}

void active_check(struct qmgr *q, struct active *a)
{
	if (active_is_over(a))
		ENLIST(q, a, settling, IN_SETTLING);
}

void active_dirty(struct qmgr *q, struct active *a)
{
	ENLIST(q, a, dirty, IN_DIRTY);
}

/* "committed" was among the records, or need not be written any more. */
static void note_sure(struct qmgr *q, struct active *a)
{
	if (a->m.committed)
		DELIST(q, a, unsure, IN_UNSURE);
}

/* Why a recipient of A must not be queued for D now, or NULL. */
static const struct result *why_not(const struct qmgr *q,
				    const struct active *a,
				    const struct destination *d)
{
	static const struct result crowd = {
		.dsn = "4.4.1",
		.reply = "destination is slow, and too many are"
	};
	bool crowded = (int64_t)q->nactive > q->settings.active_limit / 2;

	if (a->slot->asked & ASKED_FLUSH)
		return NULL;
	if (dest_rests(q, d))
		return &d->why;
	/* they must not take the places of all other messages */
	return dest_is_slow(q, d) && crowded && !courier_has_room(q, d) ?
		       &crowd :
		       NULL;
}

/* Recipient INDEX, which is pending, waits for D, or for the next pass. */
static void queue_for(struct qmgr *q, struct active *a, struct destination *d,
		      const char *sender, unsigned index)
{
	const struct result *why = why_not(q, a, d);

	if (why)
		active_skip(q, a, index, why);
	else
		dest_add(q, d, a, sender, index);
}

static bool is_stopped(const struct active *a)
{
	return a->slot->asked & (ASKED_HOLD | ASKED_BOUNCE | ASKED_DELETE);
}

/* Routes the recipients from FROM on that are still to be delivered. */
static void route_all(struct qmgr *q, struct active *a, size_t from)
{
	bool stop = is_stopped(a);

	for (size_t i = from; i < a->m.nrcpts && !stop; i++) {
		struct recipient *r = &a->m.rcpt[i];

		if (r->state != RECIPIENT_TODO)
			continue;
		a->pending++;
		queue_for(q, a, route(q, &a->m, r), recipient_sender(&a->m, r),
			  (unsigned)i);
	}
	active_check(q, a);
}

void active_again(struct qmgr *q, struct active *a, struct destination *d,
		  const char *sender, unsigned index)
{
	if (!is_stopped(a)) {
		queue_for(q, a, d, sender, index);
		return;
	}
	a->pending--;
	active_check(q, a);
}

static void log_active(const struct message *m)
{
	log_info("%s: from=<%s>, size=%jd, nrcpt=%zu (queue active)",
		 m->super.id, m->envelope.sender, (intmax_t)m->super.length,
		 m->nrcpts);
}

/* It is held from the start; or there is no room now: then it waits, and is
 * due at once. Nothing of it stays open, since descriptors may be what is
 * short. */
static void queue_up(struct qmgr *q, struct active *a)
{
	struct slot *slot = a->slot;
	bool held = a->m.held;
	int code = message_trim(&a->m, slot_rw(slot));

	/* this only costs space until the message is done */
	if (code)
		log_warn("%s: cannot be trimmed: %s", a->m.super.id,
			 err_why(code));
	active_end(q, a);
	intake_disown(slot);
	slot_close(slot);
	store_set_state(&q->store, slot, held ? SLOT_HELD : SLOT_WAITING);
	if (!held)
		wait_add(&q->waiting, slot, (uint32_t)q->tick);
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
	if (a->m.held)
		log_info("%s: from=<%s>, held: %s", a->m.super.id,
			 a->m.envelope.sender, a->m.envelope.hold);
	if (a->m.held || (int64_t)q->nactive > q->settings.active_limit ||
	    message_reserve(&a->m, slot->files->rw)) {
		queue_up(q, a);
		return ERR_OK;
	}
	ENLIST(q, a, unsure, IN_UNSURE);
	log_active(&a->m);
	route_all(q, a, 0);
	return ERR_OK;
}

/* Was the file at PATH given away or made read-only? Not so with a file system
 * that is read-only for now: all its messages wait. */
static bool is_denied(const char *path)
{
	return access(path, R_OK | W_OK) < 0 &&
	       (errno == EACCES || errno == EPERM);
}

/* Since the scan: it counts as one that the scan leaves alone, and the next
 * scan looks at it again. */
static void leave_alone(struct qmgr *q, struct slot *slot, const char *path,
			int err)
{
	log_error("%s: %s: it is left alone", path, err_why(err));
	q->strange++;
	slot_close(slot);
	store_remove(&q->store, slot);
}

/* No pass can begin: what qmgr took for a message is damaged or cannot be read
 * now, or results could not be recorded. */
static void begin_fails(struct qmgr *q, struct slot *slot, int err)
{
	char path[QUEUE_PATH_SIZE];

	queue_slot_path(path, slot->number);
	if (err == ERR_DENIED && is_denied(path)) {
		leave_alone(q, slot, path, err);
		return;
	}
	if (slot_was_read(err)) {
		errand_put_aside(q, slot, "", err_why(err));
		return;
	}
	log_error("%s: not tried now: %s", path, err_why(err));
	slot_close(slot);
	if (slot->attempts < UINT16_MAX)
		slot->attempts++;
	store_set_state(&q->store, slot, SLOT_WAITING);
	wait_add(&q->waiting, slot,
		 (uint32_t)(q->tick +
			    backoff(&q->settings, slot->attempts, false)));
}

/* Begins a pass for a waiting message. */
static void begin_pass(struct qmgr *q, struct slot *slot)
{
	struct active *a = active_new(q, slot);
	int fd = slot_rw(slot), err;

	err = fd < 0 ? err_sys("open", "its file")
		     : message_load(&a->m, fd, slot->generation, false);
	if (!err) {
		slot->attempts = (uint16_t)a->m.attempts;
		a->m.trimmed = !slot->files->owner;
		err = message_reserve(&a->m, fd);
	}
	if (err) {
		active_end(q, a);
		intake_disown(slot);
		begin_fails(q, slot, err);
		return;
	}
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
	int64_t age = clocks_age(q, slot);

	return slot->only && dest_rests(q, slot->only) && slot->asked == 0 &&
	       age < s->lifetime && age < s->bounce_lifetime &&
	       !(s->delay_warning && age >= s->delay_warning);
}

void active_run_due(struct qmgr *q)
{
	struct slot *slot;
	int n = 0;

	while (n++ < PASSES_PER_WAKEUP && (slot = wait_first(&q->waiting)) &&
	       (time_t)slot->next <= q->tick &&
	       (int64_t)q->nactive < q->settings.active_limit) {
		wait_remove(&q->waiting, slot);
		if (can_sleep_on(q, slot))
			wait_add(&q->waiting, slot,
				 (uint32_t)(slot->only->rests_until +
					    random() % 16));
		else if (slot->generation == GENERATION_UNREAD)
			errand_look(q, slot);
		else
			begin_pass(q, slot);
	}
	/* more are due: others first */
	if (n > PASSES_PER_WAKEUP)
		event_active(q->more, EV_TIMEOUT, 0);
}

void active_note(struct qmgr *q, struct active *a, const struct result *r)
{
	if (!message_note_result(&a->m, r))
		log_error("%s: a result of <%s> makes no sense: %s, %s",
			  a->m.super.id, a->m.rcpt[r->index].address,
			  result_name(r->status), r->reply);
	q->stats.delivered += r->status == RESULT_SENT;
	q->stats.deferred += r->status == RESULT_DEFERRED;
	q->stats.bounced += r->status == RESULT_FAILED;
}

/* An alias that leads nowhere. */
static void note_loop(struct qmgr *q, struct active *a, unsigned index,
		      const char *why)
{
	struct result r = { .index = index,
			    .status = RESULT_FAILED,
			    .flags = RESULT_LOCAL,
			    .dsn = "5.4.6",
			    .relay = "local",
			    .reply = why };

	active_note(q, a, &r);
}

/* INDEX leads to nobody, and so do the addresses that were expanded into it. */
static void note_circle(struct qmgr *q, struct active *a, unsigned index,
			const char *why)
{
	note_loop(q, a, index, why);
	for (unsigned i = 0; i < a->m.envelope.nrecipients; i++)
		if (circle_holds(&a->m, i, index))
			note_loop(q, a, i, why);
}

/* Those of R's addresses into which its recipient was not expanded before, when
 * another part of it had to wait: once is enough for the journal. */
static const char **new_addresses(struct message *m, const struct result *r,
				  size_t *n)
{
	const struct recipient *of = &m->rcpt[r->index];
	const char **address = mem_array(r->nexpanded + 1, sizeof(*address));
	bool *had = mem_array(m->nrcpts + 1, sizeof(*had));

	*n = 0;
	for (unsigned i = 0; i < of->nto; i++)
		had[of->to[i] + 1] = true;
	for (size_t i = 0; i < r->nexpanded; i++)
		if (!had[message_find(m, r->expanded[i])])
			address[(*n)++] = r->expanded[i];
	free(had);
	return address;
}

/* Notes the expansion, as far as it is new. */
static bool note_expanded(struct active *a, const struct result *r)
{
	struct result noted = *r;
	const char **address = new_addresses(&a->m, r, &noted.nexpanded);
	bool waits = result_itself(r) == RESULT_DEFERRED, good;

	noted.expanded = address;
	noted.flags |= result_itself(r) == RESULT_EXPANDED ? 0 : RESULT_OPEN;
	good = (waits && noted.nexpanded == 0) ||
	       message_note_result(&a->m, &noted);
	free(address);
	return good;
}

static void expand(struct qmgr *q, struct active *a, const struct result *r)
{
	size_t before = a->m.nrcpts;
	enum result_status itself = result_itself(r);
	struct result part = *r;
	const char *circle;

	if (a->m.rcpt[r->index].depth >= EXPANSIONS_MAX) {
		note_loop(q, a, r->index,
			  "aliases lead to aliases without end");
		return;
	}
	circle = r->flags & RESULT_DONE_TOO || itself == RESULT_DEFERRED ?
			 NULL :
			 circle_found(&a->m, r->index, r->expanded,
				      r->nexpanded);
	if (circle) {
		note_circle(q, a, r->index, circle);
		return;
	}
	if (!note_expanded(a, r)) {
		note_loop(q, a, r->index,
			  "it expands to too many addresses at once");
		return;
	}
	part.status = itself;
	part.flags = RESULT_LOCAL | (r->flags & RESULT_SOON);
	if (itself != RESULT_EXPANDED)
		active_note(q, a, &part);
	/* on disk, if possible, before anything of it could be done twice */
	err_ignore(!active_write(q, a)); /* it is tried again */
	route_all(q, a, before);
}

void active_result(struct qmgr *q, struct active *a, const struct result *r,
		   enum transport t)
{
	struct result noted = *r;

	if (t == TRANSPORT_LOCAL)
		noted.flags |= RESULT_LOCAL;
	if (r->status == RESULT_EXPANDED)
		expand(q, a, r);
	else
		active_note(q, a, &noted);
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
		 const struct result *why)
{
	struct recipient *r = &a->m.rcpt[index];
	struct result noted = *why;

	/* its own reason says more than that the destination is down */
	if (!*r->reply && why->reply) {
		noted.index = index;
		noted.status = RESULT_DEFERRED;
		noted.relay = "none";
		active_note(q, a, &noted);
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
