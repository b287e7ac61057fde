/*
 * The end of a pass, and the administrator's requests. After a pass expired
 * recipients are given up, the sender is told, and the message is freed or
 * parked. A step that has to be on disk before the next one waits for that
 * (active_write), and the message comes here again. It leaves memory only when
 * its journal is written.
 */
#include "queue-manager/active-lists.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "log/log.h"
#include "queue-manager/backoff.h"
#include "queue-manager/clocks.h"
#include "queue-manager/intake.h"
#include "queue-manager/notice.h"
#include "queue-manager/route.h"

#define BORN_S 60 /* a smaller difference is not worth a record */

/* Gives up what is still to do. */
static void fail_rest(struct qmgr *q, struct active *a, const char *dsn,
		      const char *why)
{
	for (unsigned i = 0; i < a->m.nrcpts; i++) {
		struct recipient *r = &a->m.rcpt[i];
		struct result failed = { .index = i,
					 .status = RESULT_FAILED,
					 .dsn = dsn };
		char *reply;

		if (r->state != RECIPIENT_TODO)
			continue;
		reply = *r->reply ? mem_printf("%s; the last try: %s", why,
					       r->reply)
				  : mem_strdup(why);
		failed.reply = reply;
		failed.relay = *r->relay ? r->relay : "none";
		active_note(q, a, &failed);
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

	if (count_todo(&a->m) == 0 || !clocks_outlived(q, a->slot, life))
		return;
	log_info("%s: from=<%s>, status=expired, returned to sender",
		 a->m.super.id, a->m.envelope.sender);
	fail_rest(q, a, "4.4.7", "it could not be delivered in time");
}

static void forget_only(struct qmgr *q, struct slot *slot)
{
	if (slot->only)
		dest_unref(q, slot->only);
	slot->only = NULL;
}

/* The message is done. */
static void finish(struct qmgr *q, struct active *a)
{
	struct slot *slot = a->slot;
	int fd = slot_rw(slot);
	bool reusable = !a->m.trimmed && a->m.super.content < SLOT_SIZE;
	/* unsynced: losing it means delivering again, never losing mail */
	int err = fd < 0 ? err_sys("open", "its slot")
			 : slot_mark_freed(fd, &a->m.super);

	if (err) {
		log_error("%s: cannot be marked as done: %s", a->m.super.id,
			  err_why(err));
		reusable = false;
	}
	forget_only(q, slot);
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

/* Did a recipient fail because one of our own programs was missing? */
static bool is_soon(const struct message *m)
{
	for (size_t i = 0; i < m->nrcpts; i++)
		if (m->rcpt[i].state == RECIPIENT_TODO &&
		    (m->rcpt[i].flags & RESULT_SOON))
			return true;
	return false;
}

/* How long A waits for its next pass, seconds. */
static time_t next_wait(struct qmgr *q, struct active *a)
{
	struct destination *d = a->slot->only;
	time_t wait;

	if (a->slot->asked & ASKED_REQUEUE) {
		a->m.attempts = 0;
		return 0;
	}
	wait = backoff(&q->settings, a->m.attempts + 1, is_soon(&a->m));
	a->m.attempts++;
	if (d && d->rests_until - q->tick > wait)
		wait = d->rests_until - q->tick + random() % 16;
	return wait;
}

static void note_tried(struct active *a, time_t next)
{
	char attempts[16], when[24];

	snprintf(attempts, sizeof(attempts), "%u",
		 a->m.attempts > 65535 ? 65535 : a->m.attempts);
	snprintf(when, sizeof(when), "%jd", (intmax_t)next);
	NOTE(a, "tried", attempts, when);
}

/* Of a waiting message only what the heap needs stays in memory. */
static void leave(struct qmgr *q, struct active *a)
{
	struct slot *slot = a->slot;
	bool held = a->m.held;

	slot->attempts = (uint16_t)a->m.attempts;
	active_end(q, a);
	intake_disown(slot);
	slot_close(slot);
	store_set_state(&q->store, slot, held ? SLOT_HELD : SLOT_WAITING);
	if (!held)
		wait_add(&q->waiting, slot, slot->next);
}

/* The clock was set since: records from when the message's age counts. */
static void note_born(struct active *a)
{
	int64_t off = (int64_t)a->slot->arrival - message_born(&a->m);
	char when[24];

	if (llabs(off) <= BORN_S)
		return;
	snprintf(when, sizeof(when), "%" PRIu32, a->slot->arrival);
	NOTE(a, "born", when);
}

/* Adds the records for the end of a pass. */
static void note_pass(struct qmgr *q, struct active *a)
{
	struct slot *slot = a->slot;
	time_t wait;

	forget_only(q, slot);
	slot->only = only_destination(q, &a->m);
	if (slot->only)
		dest_ref(slot->only);
	wait = next_wait(q, a);
	slot->next = (uint32_t)(q->tick + wait);
	note_tried(a, q->now + wait);
	note_born(a);
	if (slot->asked & ASKED_HOLD)
		NOTE(a, "held");
	else if (a->m.held)
		NOTE(a, "released");
	slot->asked = 0;
	a->parking = true;
}

/* The pass is over and not all is done. The message is parked once its journal
 * is written: otherwise results would be forgotten, and mail delivered
 * again. */
static void park(struct qmgr *q, struct active *a)
{
	struct slot *slot = a->slot;
	int err;

	if (!a->parking || slot->asked)
		note_pass(q, a);
	if (!active_write(q, a))
		return;
	err = message_trim(&a->m, slot_rw(slot));
	if (err)
		/* this only costs space until the message is done */
		log_warn("%s: cannot be trimmed: %s", a->m.super.id,
			 err_why(err));
	leave(q, a);
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
		/* the bouncer reads the journal */
		if (active_write(q, a))
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
		/* a recipient may have been added since */
		if (active_is_over(a))
			settle(q, a);
	}
	while ((a = TAILQ_FIRST(&q->dirty))) {
		DELIST(q, a, dirty, IN_DIRTY);
		err_ignore(!active_write(q, a)); /* it is tried again */
	}
}

/* Retries writes that the disk refused, up to the first that fails again. */
static void write_again(struct qmgr *q)
{
	struct active *a, *last = TAILQ_LAST(&q->unwritten, active_list);
	bool good = last != NULL;

	while (good) {
		a = TAILQ_FIRST(&q->unwritten);
		DELIST(q, a, unwritten, IN_UNWRITTEN);
		good = active_write(q, a);
		if (good)
			active_check(q, a);
		good = good && a != last;
	}
}

void active_tick(struct qmgr *q)
{
	struct active *a;

	write_again(q);

	while ((a = TAILQ_FIRST(&q->unsure))) {
		NOTE(a, "committed");
		DELIST(q, a, unsure, IN_UNSURE);
		active_dirty(q, a);
	}
}

/* What is asked last counts: anything else ends a hold that has not begun, and
 * what was taken back for it is tried again at once. */
static void ask_active(struct qmgr *q, struct slot *slot, unsigned asked)
{
	if (!(asked & ASKED_HOLD) && slot->asked & ASKED_HOLD) {
		slot->asked &= (uint8_t)~ASKED_HOLD;
		asked |= ASKED_REQUEUE;
	}
	slot->asked |= (uint8_t)asked;
	if (asked & (ASKED_HOLD | ASKED_BOUNCE | ASKED_DELETE))
		active_cancel(q, slot->active);
}

/* Records in the journal of a waiting message that it is HELD, or is not. */
static int note_held(struct slot *slot, bool held)
{
	const char *word = held ? "held" : "released";
	struct message m = { .arena = NULL };
	int fd = slot_rw(slot), err;

	err = fd < 0 ? err_sys("open", "its slot")
		     : message_load(&m, fd, slot->generation, false);
	if (!err) {
		m.trimmed = true;
		err = message_note(&m, &word, 1)
			      ? message_write_journal(&m, fd)
			      : err_set(ERR_SYNTAX, "no record %s", word);
	}
	message_free(&m);
	if (!slot->files->owner)
		slot_close(slot);
	return err;
}

/* Has a message that waits or is HELD tried now, or held. */
static void set_waiting(struct qmgr *q, struct slot *slot, bool held)
{
	if (slot->state == SLOT_WAITING)
		wait_remove(&q->waiting, slot);
	store_set_state(&q->store, slot, held ? SLOT_HELD : SLOT_WAITING);
	if (!held)
		wait_add(&q->waiting, slot, (uint32_t)q->tick);
}

int active_ask(struct qmgr *q, struct slot *slot, unsigned asked)
{
	bool hold = asked & ASKED_HOLD, held = slot->state == SLOT_HELD;
	int err = ERR_OK;

	if (slot->state == SLOT_ACTIVE) {
		ask_active(q, slot, asked);
		return ERR_OK;
	}
	if (hold != held)
		err = note_held(slot, hold);
	if (err)
		return err;
	if (!hold)
		slot->asked |= (uint8_t)asked;
	set_waiting(q, slot, hold);
	return ERR_OK;
}
