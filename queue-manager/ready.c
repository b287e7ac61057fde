#include "queue-manager/ready.h"

#include "base/mem.h"

#define READY_LANES 1024

struct ready_lane {
	TAILQ_ENTRY(ready_lane) link;
	struct destination_list list;
	bool linked;  /* among those of `busy`: it has a destination */
	int64_t held; /* of SHARE_NEW: slow deliveries of its senders */
};

struct ready {
	TAILQ_HEAD(, ready_lane) busy; /* in the order of their turns */
	struct ready_lane lane[READY_LANES];
};

static struct ready_lane *lane_of(const struct qmgr *q,
				  const struct destination *d)
{
	return &q->ready[d->transport][d->ready_share]->lane[d->ready_lane];
}

static void unlink_lane(struct qmgr *q, const struct destination *d)
{
	struct ready_lane *l = lane_of(q, d);

	TAILQ_REMOVE(&q->ready[d->transport][d->ready_share]->busy, l, link);
	l->linked = false;
}

void ready_start(struct qmgr *q)
{
	for (int t = 0; t < TRANSPORTS; t++)
		for (int s = 0; s < SHARES; s++) {
			q->ready[t][s] = mem_alloc(sizeof(*q->ready[t][s]));
			TAILQ_INIT(&q->ready[t][s]->busy);
		}
}

void ready_add(struct qmgr *q, struct destination *d)
{
	struct ready_lane *l;

	d->ready_share = dest_share(q, d);
	d->ready_lane = dest_next(d)->hash % READY_LANES;
	d->in_ready = true;
	l = lane_of(q, d);
	if (!l->linked) {
		TAILQ_INIT(&l->list);
		TAILQ_INSERT_TAIL(
			&q->ready[d->transport][d->ready_share]->busy, l,
			link);
		l->linked = true;
	}
	TAILQ_INSERT_TAIL(&l->list, d, link);
}

void ready_remove(struct qmgr *q, struct destination *d)
{
	struct ready_lane *l = lane_of(q, d);

	TAILQ_REMOVE(&l->list, d, link);
	d->in_ready = false;
	if (TAILQ_EMPTY(&l->list))
		unlink_lane(q, d);
}

struct destination *ready_next(const struct qmgr *q, enum transport t,
			       enum share share, int64_t most)
{
	const struct ready_lane *l;

	TAILQ_FOREACH(l, &q->ready[t][share]->busy, link)
	{
		if (l->held <= most)
			return TAILQ_FIRST(&l->list);
	}
	return NULL;
}

unsigned ready_hold(struct qmgr *q, enum transport t, uint64_t hash)
{
	unsigned lane = hash % READY_LANES;

	q->ready[t][SHARE_NEW]->lane[lane].held++;
	return lane;
}

void ready_release(struct qmgr *q, enum transport t, unsigned lane)
{
	q->ready[t][SHARE_NEW]->lane[lane].held--;
}

void ready_turn(struct qmgr *q, struct destination *d)
{
	struct ready *r = q->ready[d->transport][d->ready_share];
	struct ready_lane *l = lane_of(q, d);

	TAILQ_REMOVE(&r->busy, l, link);
	TAILQ_INSERT_TAIL(&r->busy, l, link);
	ready_remove(q, d);
	ready_add(q, d);
}
