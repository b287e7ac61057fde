/* The end of a pass, and what the administrator wants in between. */
#include "queue-manager/active-lists.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "log/log.h"
#include "queue-manager/backoff.h"
#include "queue-manager/intake.h"
#include "queue-manager/notice.h"
#include "queue-manager/route.h"

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
		active_note_result(a, "failed", i, dsn, "-",
				   *r->relay ? r->relay : "none", reply);
		q->stats.bounced++;
		free(reply);
	}
	active_dirty(q, a);
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
		active_dirty(q, a);
	} else {
		a->give_up = true;
	}
	active_check(q, a);
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
		active_dirty(q, a);
	}
}

static void ask_active(struct qmgr *q, struct slot *slot, unsigned asked)
{
	slot->asked |= (uint8_t)asked;
	if (asked & (ASKED_HOLD | ASKED_BOUNCE | ASKED_DELETE))
		active_cancel(q, slot->active);
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
