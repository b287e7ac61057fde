/*
 * Destinations: their lanes, windows and rests. dest_update is the only place
 * that decides which list a destination is in: a ready one (ready.h) while it
 * has work and may begin more of it, idle while nothing points to it, or
 * neither. Idle ones are forgotten by age, oldest first.
 */
#include "queue-manager/dest.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "log/log.h"
#include "queue-manager/active.h"
#include "queue-manager/backoff.h"
#include "queue-manager/courier.h"
#include "queue-manager/ready.h"

#define FORGET_S 600   /* idle destinations are kept this long */
#define FORGET_MAX 100 /* most that are forgotten at once */

static double initial_window(const struct qmgr *q, enum transport t)
{
	int64_t w = q->settings.initial_concurrency;

	if (w > q->settings.concurrency[t])
		w = q->settings.concurrency[t];
	return (double)w;
}

struct destination *dest_get(struct qmgr *q, enum transport t, const char *key,
			     const char *name)
{
	char *full = mem_printf("%d:%s", (int)t, key);
	struct destination *d = map_get(q->destinations, full);

	if (d) {
		free(full);
		return d;
	}
	d = mem_alloc(sizeof(*d));
	for (unsigned i = 0; i < LANES; i++)
		TAILQ_INIT(&d->lane[i]);
	d->transport = t;
	d->key = full;
	d->name = mem_strdup(name);
	d->used = q->tick;
	/* our own mailboxes need no probe */
	d->proven = t == TRANSPORT_LOCAL;
	d->window = d->proven ? initial_window(q, t) : 1;
	map_put(q->destinations, full, d);
	dest_update(q, d);
	return d;
}

/* Keeps a copy of WHY, or nothing. */
static void set_why(struct destination *d, const struct result *why)
{
	free((void *)(uintptr_t)d->why.dsn);
	free((void *)(uintptr_t)d->why.reply);
	d->why = (struct result){ .flags = 0 };
	if (!why)
		return;
	d->why.flags = why->flags;
	d->why.dsn = mem_strdup(why->dsn);
	d->why.reply = mem_strdup(why->reply);
}

static void forget(struct qmgr *q, struct destination *d)
{
	TAILQ_REMOVE(&q->idle, d, link);
	courier_forget(q, d);
	map_remove(q->destinations, d->key);
	free(d->key);
	free(d->name);
	set_why(d, NULL);
	free(d);
}

void dest_ref(struct destination *d)
{
	d->refs++;
}

void dest_unref(struct qmgr *q, struct destination *d)
{
	d->refs--;
	dest_update(q, d);
}

unsigned dest_concurrency(const struct destination *d)
{
	return d->window < 1 ? 1 : (unsigned)d->window;
}

unsigned dest_jobs_max(const struct destination *d)
{
	return d->proven ? dest_concurrency(d) * COURIER_DEPTH(d->transport)
			 : 1;
}

bool dest_rests(const struct qmgr *q, const struct destination *d)
{
	return d->rests_until > q->tick;
}

bool dest_is_slow(const struct qmgr *q, const struct destination *d)
{
	return d->slow_until > q->tick;
}

enum share dest_share(const struct qmgr *q, const struct destination *d)
{
	if (dest_is_slow(q, d))
		return SHARE_SLOW;
	return d->proven ? SHARE_GOOD : SHARE_NEW;
}

void dest_slow(struct qmgr *q, struct destination *d)
{
	if (!dest_is_slow(q, d))
		log_info("destination %s is slow", d->name);
	d->slow_until = q->tick + DEST_SLOW_S;
	dest_update(q, d);
}

void dest_update(struct qmgr *q, struct destination *d)
{
	bool work = d->nloads > 0;
	bool ready = work && !d->blocked && d->busy < dest_jobs_max(d);
	bool idle = !work && d->busy == 0 && d->refs == 0;

	if (d->in_ready && (!ready || d->ready_share != dest_share(q, d)))
		ready_remove(q, d);
	if (d->in_idle && !idle)
		TAILQ_REMOVE(&q->idle, d, link);
	if (ready && !d->in_ready)
		ready_add(q, d);
	if (idle && !d->in_idle) {
		d->used = q->tick;
		TAILQ_INSERT_TAIL(&q->idle, d, link);
	}
	d->in_idle = idle;
}

uint64_t dest_sender_hash(const char *sender)
{
	const char *at = strrchr(sender, '@');
	uint64_t hash = map_hash(sender, strcspn(sender, "+-=@"));

	if (at)
		hash ^= map_hash(at, strlen(at));
	return hash;
}

/* The load of A for D and SENDER. A message's recipients are added in a row,
 * so it is the newest one, or there is none. */
static struct load *load_of(struct destination *d, struct active *a,
			    const char *sender)
{
	struct load *l = d->newest;

	if (l && l->queued && l->active == a && l->sender == sender)
		return l;
	l = arena_alloc(a->m.arena, sizeof(*l));
	l->active = a;
	l->dest = d;
	l->sender = sender;
	l->hash = dest_sender_hash(sender);
	l->lane = (unsigned)(l->hash % LANES);
	l->queued = true;
	d->nloads++;
	TAILQ_INSERT_TAIL(&d->lane[l->lane], l, in_dest);
	TAILQ_INSERT_TAIL(&a->loads, l, in_message);
	d->newest = l;
	return l;
}

void dest_add(struct qmgr *q, struct destination *d, struct active *a,
	      const char *sender, unsigned index)
{
	struct load *l = load_of(d, a, sender);

	if (l->n == l->cap) {
		unsigned *bigger;

		l->cap = l->cap ? l->cap * 2 : 4;
		bigger = arena_alloc(a->m.arena, l->cap * sizeof(*bigger));
		if (l->n)
			memcpy(bigger, l->index, l->n * sizeof(*bigger));
		l->index = bigger;
	}
	l->index[l->n++] = index;
	dest_update(q, d);
}

struct load *dest_next(struct destination *d)
{
	for (unsigned i = 0; i < LANES; i++) {
		struct load *l = TAILQ_FIRST(&d->lane[(d->turn + i) % LANES]);

		if (l)
			return l;
	}
	return NULL;
}

void dest_drop(struct qmgr *q, struct load *l)
{
	struct destination *d = l->dest;

	TAILQ_REMOVE(&d->lane[l->lane], l, in_dest);
	d->nloads--;
	TAILQ_REMOVE(&l->active->loads, l, in_message);
	l->queued = false;
	if (d->newest == l)
		d->newest = NULL;
	dest_update(q, d);
}

void dest_taken(struct qmgr *q, struct load *l, size_t n)
{
	struct destination *d = l->dest;

	d->turn = (l->lane + 1) % LANES;
	l->n -= n;
	if (l->n == 0) {
		dest_drop(q, l);
		return;
	}
	TAILQ_REMOVE(&d->lane[l->lane], l, in_dest);
	TAILQ_INSERT_TAIL(&d->lane[l->lane], l, in_dest);
	dest_update(q, d);
}

/* What waits for D is not tried now. */
static void send_home(struct qmgr *q, struct destination *d)
{
	struct load *l;

	while ((l = dest_next(d))) {
		size_t n = l->n;

		for (size_t i = 0; i < n; i++)
			active_skip(q, l->active, l->index[i], &d->why);
		dest_drop(q, l);
	}
}

static void rest(struct qmgr *q, struct destination *d,
		 const struct result *why)
{
	time_t pause =
		backoff(&q->settings, ++d->failures, why->flags & RESULT_SOON);

	d->rests_until = q->tick + pause;
	d->proven = false;
	d->window = 1;
	set_why(d, why);
	log_info("destination %s is not tried for %lds: %s", d->name,
		 (long)pause, why->reply);
	send_home(q, d);
}

static void succeeded(struct qmgr *q, struct destination *d)
{
	double limit = (double)q->settings.concurrency[d->transport];

	d->failures = 0;
	d->rests_until = 0;
	if (!d->proven)
		d->window = initial_window(q, d->transport);
	else
		d->window += 1 / d->window;
	d->proven = true;
	if (d->window > limit)
		d->window = limit;
}

void dest_feedback(struct qmgr *q, struct destination *d, bool down,
		   const struct result *why)
{
	if (!down) {
		succeeded(q, d);
	} else if (!dest_rests(q, d)) {
		d->window -= 1;
		if (!d->proven || d->window < 1)
			rest(q, d, why);
	}
	dest_update(q, d);
}

void dest_wake_all(struct qmgr *q)
{
	size_t at = 0;
	void *value;

	while (map_next(q->destinations, &at, &value))
		((struct destination *)value)->rests_until = 0;
}

void dest_tick(struct qmgr *q)
{
	struct destination *d, *next;
	int n = 0;

	for (d = TAILQ_FIRST(&q->idle); d && n < FORGET_MAX; d = next) {
		next = TAILQ_NEXT(d, link);
		if (d->used + FORGET_S > q->tick)
			break;
		/* the state of a dead or slow one is worth keeping longer */
		if (dest_is_slow(q, d) ||
		    (d->failures &&
		     d->used + q->settings.maximal_backoff * 2 > q->tick))
			continue;
		forget(q, d);
		n++;
	}
}

void dest_counts(const struct qmgr *q, int64_t *all, int64_t *dead,
		 int64_t *slow)
{
	size_t at = 0;
	void *value;

	*all = *dead = *slow = 0;
	while (map_next(q->destinations, &at, &value)) {
		++*all;
		*dead += dest_rests(q, value);
		*slow += dest_is_slow(q, value);
	}
}
