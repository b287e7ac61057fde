/*
 * Which courier gets the next job of a destination.
 *
 * No destination gets more couriers than its window allows (dest.c), and no
 * courier more jobs than it may have. Within that a free one is better than one
 * with jobs, and few jobs are better than many. Local and remote mail differ in
 * what is dear: a mailbox has one lock, so that a second courier would only
 * wait there; with a remote host the session is, so that one which is busy for
 * a moment is better than a new one.
 *
 * Commands of users may hang for minutes, and so may hosts. Their deliveries do
 * not count among the processes of the deliverer, but have some of their own;
 * and destinations that were slow in the last hour get only a part of these, so
 * that they cannot take up all again. Hosts that were not reached yet leave some
 * of the processes to those that were, and do not begin what could become slow
 * when there would be no process left for it.
 */
#include <string.h>

#include "qmgr/job.h"
#include "queue-manager/courier-parts.h"

#define SESSION_S 5 /* remote-send keeps an unused session this long */
#define SHORT 65536 /* a message that is sent in no time */

static enum share share_of(const struct courier *c)
{
	if (c->njobs == 0)
		return SHARES;
	return c->apart ? SHARE_SLOW : dest_share(c->q, c->dest);
}

void courier_count(struct courier *c)
{
	size_t *n = c->q->at_work[c->transport];
	enum share now = share_of(c);

	if (c->share != SHARES)
		n[c->share]--;
	if (now != SHARES)
		n[now]++;
	c->share = now;
}

static int64_t at_work(const struct qmgr *q, enum transport t, enum share share)
{
	return (int64_t)q->at_work[t][share];
}

/* Processes that are left to hosts that were reached. */
static int64_t kept(const struct qmgr *q, enum transport t)
{
	return q->settings.limit[t] / 4;
}

/* How many more deliveries may become slow. */
int64_t courier_fair(const struct qmgr *q, enum transport t)
{
	return q->settings.processes[t] - kept(q, t) -
	       at_work(q, t, SHARE_SLOW) - at_work(q, t, SHARE_NEW);
}

/* May one more process deliver for those of SHARE? */
static bool has_room(const struct qmgr *q, enum transport t, enum share share)
{
	int64_t limit = q->settings.limit[t], new = at_work(q, t, SHARE_NEW);

	if (share == SHARE_SLOW)
		return at_work(q, t, SHARE_SLOW) < (JOB_SLOW_SHARE - 1) * limit;
	if (share == SHARE_NEW &&
	    (new + kept(q, t) >= limit || courier_fair(q, t) <= 0))
		return false;
	return at_work(q, t, SHARE_GOOD) + new < limit;
}

bool courier_has_room(const struct qmgr *q, const struct destination *d)
{
	return has_room(q, d->transport, dest_share(q, d));
}

/* May there be one more courier for those of SHARE? Without slow ones there are
 * no more than work at once, so that free ones are used again. */
static bool may_add(const struct qmgr *q, enum transport t, enum share share)
{
	size_t ordinary = q->ncouriers[t] - q->at_work[t][SHARE_SLOW];

	return share == SHARE_SLOW ||
	       (int64_t)ordinary < q->settings.limit[t];
}

/* Is C a better choice for D than BEST? */
static struct courier *better(struct courier *c, struct courier *best,
			      const struct destination *d)
{
	bool mine = c->dest == d;

	if (c->full || c->apart || (c->njobs && !mine) ||
	    c->njobs >= dest_jobs_max(d) ||
	    c->njobs >= COURIER_DEPTH(c->transport))
		return best;
	if (c->njobs == 0 && !mine && d->couriers >= dest_concurrency(d))
		return best;
	if (!best)
		return c;
	if (c->njobs != best->njobs)
		return c->njobs < best->njobs ? c : best;
	return mine && best->dest != d ? c : best;
}

/* The courier that delivers to D on this machine, and not slowly. */
static struct courier *courier_at(const struct qmgr *q,
				  const struct destination *d)
{
	struct courier *c;

	if (d->busy == 0)
		return NULL;
	TAILQ_FOREACH(c, &q->couriers[d->transport], link)
	if (c->dest == d && c->njobs > 0 && courier_is_quick(c))
		return c;
	return NULL;
}

/* A free connection; else a new one; else one that has jobs of D and room for
 * more. For a mailbox only the one that delivers there, even if it has no room
 * now: what waits there is delivered together, and two would only wait for each
 * other's lock. */
static struct courier *local_courier(struct qmgr *q, struct destination *d)
{
	struct courier *best = NULL, *c = courier_at(q, d);
	bool room = courier_has_room(q, d);

	if (c && (better(c, NULL, d) || strchr(d->key, '@')))
		return better(c, NULL, d);
	TAILQ_FOREACH(c, &q->couriers[TRANSPORT_LOCAL], link)
	if (c->njobs > 0 || room)
		best = better(c, best, d);
	if (best && best->njobs == 0)
		return best;
	if (room && d->couriers < dest_concurrency(d)) {
		c = courier_new(q, TRANSPORT_LOCAL);
		if (c)
			return c;
	}
	return best;
}

/* A courier that has jobs of D, of which none takes long: another one would
 * not wait there for long. The one with the fewest. */
static struct courier *quick_at(struct qmgr *q, const struct destination *d)
{
	struct courier *best = NULL, *c;

	if (d->busy == 0 || !d->quick)
		return NULL;
	TAILQ_FOREACH(c, &q->couriers[TRANSPORT_REMOTE], link)
	if (c->dest == d && c->njobs > 0 && courier_is_quick(c) &&
	    TAILQ_FIRST(&c->jobs)->active->m.super.length <= SHORT)
		best = better(c, best, d);
	return best;
}

/* Does C, which is free, hold no session that its destination could use? */
static bool is_empty(const struct courier *c)
{
	return !c->dest || c->idle_since + SESSION_S < c->q->tick;
}

/* A free connection that had D before. Else, since opening a session takes
 * longer than one quick delivery, one that has such a delivery; else a free one
 * without a session, or a new one. When there are no more, quick ones get as
 * many jobs as they may have before another destination loses a session. */
static struct courier *remote_courier(struct qmgr *q, struct destination *d)
{
	struct courier *best = NULL, *quick, *c;
	bool free, room = courier_has_room(q, d);

	TAILQ_FOREACH(c, &q->couriers[TRANSPORT_REMOTE], link)
	if (c->njobs > 0 || room)
		best = better(c, best, d);
	free = best && best->njobs == 0;
	if (free && best->dest == d)
		return best;
	quick = quick_at(q, d);
	if (quick && quick->njobs == 1)
		return quick;
	if (free && is_empty(best))
		return best;
	if (room && d->couriers < dest_concurrency(d) &&
	    may_add(q, TRANSPORT_REMOTE, dest_share(q, d))) {
		c = courier_new(q, TRANSPORT_REMOTE);
		if (c)
			return c;
	}
	return quick ? quick : best;
}

struct courier *courier_choose(struct qmgr *q, struct destination *d)
{
	return d->transport == TRANSPORT_LOCAL ? local_courier(q, d)
					       : remote_courier(q, d);
}

/* Is there a courier that could take a job of a destination of SHARE that has
 * none? */
static bool any_free(const struct qmgr *q, enum transport t, enum share share)
{
	const struct courier *c;

	if (!has_room(q, t, share))
		return false;
	TAILQ_FOREACH(c, &q->couriers[t], link)
	{
		if (c->njobs == 0)
			return true;
	}
	return may_add(q, t, share) &&
	       (int64_t)q->ncouriers[t] < q->settings.processes[t] &&
	       q->paused_until[t] <= q->tick;
}

bool courier_for_others(const struct qmgr *q, const struct destination *d)
{
	if (d->transport == TRANSPORT_LOCAL && courier_at(q, d))
		return true;
	return d->busy > 0 && any_free(q, d->transport, dest_share(q, d));
}
