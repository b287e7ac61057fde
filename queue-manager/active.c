#include "queue-manager/active.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue-manager/backoff.h"
#include "base/err.h"
#include "base/mem.h"
#include "queue-manager/courier.h"
#include "queue-manager/intake.h"
#include "log/log.h"
#include "queue-manager/notice.h"
#include "queue-manager/pool.h"
#include "queue-manager/route.h"

#define NOTE(a, ...)                                                \
	message_note(&(a)->m, (const char *const[]){ __VA_ARGS__ }, \
		     sizeof((const char *const[]){ __VA_ARGS__ }) / \
			     sizeof(const char *))

/* Puts A into one of the lists of qmgr.h, unless it is there. */
#define ENLIST(q, a, list, flag)                                \
	do {                                                    \
		if (!((a)->lists & (flag))) {                   \
			TAILQ_INSERT_TAIL(&(q)->list, a, list); \
			(a)->lists |= (flag);                   \
		}                                               \
	} while (0)

#define DELIST(q, a, list, flag)                           \
	do {                                               \
		if ((a)->lists & (flag)) {                 \
			TAILQ_REMOVE(&(q)->list, a, list); \
			(a)->lists &= ~(unsigned)(flag);   \
		}                                          \
	} while (0)

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

static void active_end(struct qmgr *q, struct active *a)
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

static void now_settling(struct qmgr *q, struct active *a)
{
	if (a->pending == 0 && a->jobs == 0 && !a->bouncing)
		ENLIST(q, a, settling, IN_SETTLING);
}

static void now_dirty(struct qmgr *q, struct active *a)
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
	now_settling(q, a);
}

static void log_active(const struct message *m)
{
	log_info("%s: from=<%s>, size=%jd, nrcpt=%zu (queue active)",
		 m->super.id, m->envelope.sender, (intmax_t)m->super.length,
		 m->nrcpts);
}

/* No room just now: it waits, and is due at once. */
static void queue_up(struct qmgr *q, struct slot *slot)
{
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
		active_end(q, a);
		queue_up(q, slot);
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

void active_begin(struct qmgr *q, struct slot *slot)
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
			active_begin(q, slot);
	}
}

static void note_result(struct active *a, const char *verb, unsigned index,
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
		note_result(a, "failed", index, "5.4.6", "l", "local",
			    "aliases lead to aliases without end");
		q->stats.bounced++;
		return;
	}
	if (!r->done_too &&
	    message_leads_back(&a->m, index, r->expanded, r->nexpanded)) {
		note_result(a, "failed", index, "5.4.6", "l", "local",
			    "mail forwarding loop: it leads back here");
		q->stats.bounced++;
		return;
	}
	note_expanded(a, index, r);
	if (*r->dsn == '5') {
		note_result(a, "failed", index, r->dsn, "l", r->relay,
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
		note_result(a, "sent", index, r->dsn, flags, r->relay,
			    r->reply);
		break;
	case JOB_DEFERRED:
		q->stats.deferred++;
		note_result(a, "deferred", index, r->dsn, flags, r->relay,
			    r->reply);
		break;
	case JOB_FAILED:
		q->stats.bounced++;
		note_result(a, "failed", index, r->dsn, flags, r->relay,
			    r->reply);
		break;
	case JOB_EXPANDED:
		expand(q, a, index, r);
		break;
	}
	a->pending--;
	note_sure(q, a);
	now_dirty(q, a);
	now_settling(q, a);
}

void active_job_ended(struct qmgr *q, struct active *a)
{
	a->jobs--;
	now_settling(q, a);
}

void active_skip(struct qmgr *q, struct active *a, unsigned index,
		 const char *dsn, const char *reply)
{
	struct recipient *r = &a->m.rcpt[index];

	/* a reason of its own says more than that the destination is down */
	if (!*r->reply && dsn && reply) {
		note_result(a, "deferred", index, dsn, "-", "none", reply);
		note_sure(q, a);
		now_dirty(q, a);
	}
	a->pending--;
	now_settling(q, a);
}

static void cancel_loads(struct qmgr *q, struct active *a)
{
	struct load *l;

	while ((l = TAILQ_FIRST(&a->loads))) {
		a->pending -= (unsigned)l->n;
		dest_drop(q, l);
	}
	now_settling(q, a);
}

/* Gives up what is still to do. */
static void fail_rest(struct qmgr *q, struct active *a, const char *dsn,
		      const char *why)
{
	for (unsigned i = 0; i < a->m.nrcpts; i++) {
		struct recipient *r = &a->m.rcpt[i];
		char *reply;

		if (r->state != RECIPIENT_TODO)
			continue;
		reply = *r->reply ? mem_printf("%s; the last try: %s", why,
					       r->reply)
				  : mem_strdup(why);
		note_result(a, "failed", i, dsn, "-",
			    *r->relay ? r->relay : "none", reply);
		q->stats.bounced++;
		free(reply);
	}
	now_dirty(q, a);
}

static size_t count_todo(const struct message *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->nrcpts; i++)
		n += m->rcpt[i].state == RECIPIENT_TODO;
	return n;
}

static void expire(struct qmgr *q, struct active *a)
{
	const struct settings *s = &q->settings;
	int64_t life = *a->m.envelope.sender ? s->lifetime : s->bounce_lifetime;

	if (count_todo(&a->m) == 0 || q->now - message_arrival(&a->m) < life)
		return;
	log_info("%s: from=<%s>, status=expired, returned to sender",
		 a->m.super.id, a->m.envelope.sender);
	fail_rest(q, a, "4.4.7", "it could not be delivered in time");
}

/* The message is done. */
static void finish(struct qmgr *q, struct active *a)
{
	struct slot *slot = a->slot;
	int fd = slot_rw(slot);
	bool reusable = !a->m.trimmed && a->m.super.content < SLOT_SIZE;

	/* unsynced: to lose it means to deliver again, never to lose mail */
	if (fd >= 0 && slot_mark_freed(fd, &a->m.super) != ERR_OK) {
		log_error("%s: cannot be marked as done: %m", a->m.super.id);
		reusable = false;
	}
	log_info("%s: removed", a->m.super.id);
	active_end(q, a);
	intake_slot_done(q, slot, reusable);
}

static struct destination *only_destination(struct qmgr *q,
					    const struct message *m)
{
	struct destination *only = NULL;

	for (size_t i = 0; i < m->nrcpts; i++) {
		struct destination *d;

		if (m->rcpt[i].state != RECIPIENT_TODO)
			continue;
		d = route(q, m, &m->rcpt[i]);
		if (only && only != d)
			return NULL;
		only = d;
	}
	return only;
}

static time_t next_try(struct qmgr *q, struct active *a)
{
	struct destination *d = a->slot->only;
	time_t next;

	if (a->slot->asked & ASKED_REQUEUE) {
		a->m.attempts = 0;
		return q->now;
	}
	next = q->now + backoff(&q->settings, a->m.attempts + 1);
	a->m.attempts++;
	if (d && d->rests_until > next)
		next = d->rests_until + random() % 16;
	return next;
}

static void note_tried(struct active *a, time_t next)
{
	char attempts[16], when[24];

	snprintf(attempts, sizeof(attempts), "%u",
		 a->m.attempts > 65535 ? 65535 : a->m.attempts);
	snprintf(when, sizeof(when), "%jd", (intmax_t)next);
	NOTE(a, "tried", attempts, when);
}

/* The pass is over and not all is done: until the next one only what the
 * heap needs stays in memory. */
static void park(struct qmgr *q, struct active *a)
{
	struct slot *slot = a->slot;
	bool held = slot->asked & ASKED_HOLD;
	time_t next;

	slot->only = only_destination(q, &a->m);
	if (slot->only)
		dest_ref(slot->only);
	next = next_try(q, a);
	note_tried(a, next);
	if (held)
		NOTE(a, "held");
	message_write_journal(&a->m, slot_rw(slot));
	message_trim(&a->m, slot_rw(slot));
	slot->attempts = (uint16_t)a->m.attempts;
	slot->asked = 0;
	active_end(q, a);
	intake_disown(slot);
	slot_close(slot);
	store_set_state(&q->store, slot, held ? SLOT_HELD : SLOT_WAITING);
	if (held)
		slot->next = (uint32_t)next;
	else
		wait_add(&q->waiting, slot, (uint32_t)next);
}

static void settle(struct qmgr *q, struct active *a)
{
	unsigned asked = a->slot->asked;

	if (asked & ASKED_DELETE) {
		log_info("%s: deleted by the administrator", a->m.super.id);
		finish(q, a);
		return;
	}
	if (asked & ASKED_BOUNCE)
		fail_rest(q, a, "5.7.0", "given up by the administrator");
	expire(q, a);
	if (!a->give_up && notice_needed(q, a)) {
		message_write_journal(&a->m, slot_rw(a->slot));
		notice_request(q, a);
		return;
	}
	if (count_todo(&a->m) == 0 && !a->give_up)
		finish(q, a);
	else
		park(q, a);
}

void active_told(struct qmgr *q, struct active *a, bool good)
{
	a->bouncing = false;
	if (good) {
		notice_note(q, a);
		now_dirty(q, a);
	} else {
		a->give_up = true;
	}
	now_settling(q, a);
}

void active_settle(struct qmgr *q)
{
	struct active *a;

	while ((a = TAILQ_FIRST(&q->settling))) {
		DELIST(q, a, settling, IN_SETTLING);
		settle(q, a);
	}
	while ((a = TAILQ_FIRST(&q->dirty))) {
		DELIST(q, a, dirty, IN_DIRTY);
		if (message_write_journal(&a->m, slot_rw(a->slot)) != ERR_OK)
			log_error("%s: cannot write its journal: %m",
				  a->m.super.id);
	}
}

void active_tick(struct qmgr *q)
{
	struct active *a;

	while ((a = TAILQ_FIRST(&q->unsure))) {
		NOTE(a, "committed");
		DELIST(q, a, unsure, IN_UNSURE);
		now_dirty(q, a);
	}
}

static void ask_active(struct qmgr *q, struct slot *slot, unsigned asked)
{
	slot->asked |= (uint8_t)asked;
	if (asked & (ASKED_HOLD | ASKED_BOUNCE | ASKED_DELETE))
		cancel_loads(q, slot->active);
}

/* Writes into the journal of a message that waits that it is HELD or not. */
static void note_held(struct slot *slot, bool held)
{
	const char *word = held ? "held" : "released";
	struct message m = { .arena = NULL };
	int fd = slot_rw(slot);

	if (fd >= 0 &&
	    message_load(&m, fd, slot->generation, false) == ERR_OK) {
		m.trimmed = true;
		message_note(&m, &word, 1);
		message_write_journal(&m, fd);
	}
	message_free(&m);
	if (!slot->files->owner)
		slot_close(slot);
}

void active_ask(struct qmgr *q, struct slot *slot, unsigned asked)
{
	if (slot->state == SLOT_ACTIVE) {
		ask_active(q, slot, asked);
		return;
	}
	if (slot->state == SLOT_WAITING)
		wait_remove(&q->waiting, slot);
	if (asked & ASKED_HOLD) {
		note_held(slot, true);
		store_set_state(&q->store, slot, SLOT_HELD);
		return;
	}
	if (slot->state == SLOT_HELD)
		note_held(slot, false);
	slot->asked |= (uint8_t)asked;
	store_set_state(&q->store, slot, SLOT_WAITING);
	wait_add(&q->waiting, slot, (uint32_t)q->now);
}
