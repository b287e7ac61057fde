/*
 * Slow deliveries. A command in one user's .forward may take minutes, and mail
 * for others in the same domain must not wait for it; so may a host, and mail
 * for others must not wait for a process. A host that has not come as far as
 * the content when it would count as slow is left before that: its mail is
 * tried again where slow ones are, with all the time that is configured. While
 * the content is sent, or an answer to it is awaited, nothing is given up.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "queue-manager/courier-parts.h"
#include "queue-manager/ready.h"
#include "queue-manager/route.h"

#define SLOW_S 10 /* a delivery that takes this long delays others */

/* Patience differs, so that those who were tried at once are not given up at
 * once, and there is always one about to make room. */
#define PATIENCE_MS (SLOW_S * 1000)
#define PATIENCE_SPREAD_MS 3000

int64_t apart_patience(const struct qmgr *q, const struct destination *d)
{
	if (d->transport == TRANSPORT_LOCAL || dest_is_slow(q, d))
		return 0;
	return PATIENCE_MS - random() % PATIENCE_SPREAD_MS;
}

static void route_load(struct qmgr *q, struct load *l)
{
	const struct message *m = &l->active->m;
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++) {
		unsigned index = l->index[i];
		struct destination *to = route(q, m, &m->rcpt[index]);

		if (to == l->dest)
			l->index[kept++] = index;
		else
			dest_add(q, to, l->active, l->sender, index);
	}
	l->n = kept;
	if (kept == 0)
		dest_drop(q, l);
}

/* Routes the recipients that wait for D again: some now go elsewhere. */
static void route_again(struct qmgr *q, struct destination *d)
{
	struct load *l, *next;

	for (unsigned i = 0; i < LANES; i++)
		for (l = TAILQ_FIRST(&d->lane[i]); l; l = next) {
			next = TAILQ_NEXT(l, in_dest);
			route_load(q, l);
		}
}

/* Moves the jobs of C to a separate queue, so that others for the same domain
 * do not wait for them. It is not known which recipient makes the first job
 * slow, so all of its recipients are delivered alone for a while. */
static void move_apart(struct courier *c)
{
	const struct handed *first = TAILQ_FIRST(&c->jobs);
	struct destination *from = first->dest, *to;
	const struct message *m = &first->active->m;
	struct handed *h;
	char key[40];

	snprintf(key, sizeof(key), "slow %" PRIu64, first->number);
	to = dest_get(c->q, c->transport, key, from->name);
	for (size_t i = 0; i < first->n; i++)
		route_slow(c->q, m->rcpt[first->index[i]].address);
	TAILQ_FOREACH(h, &c->jobs, link)
	{
		h->dest = to;
		from->busy--;
		to->busy++;
	}
	from->couriers--;
	to->couriers++;
	c->dest = to;
	route_again(c->q, from);
	dest_update(c->q, from);
	dest_update(c->q, to);
}

static void set_apart(struct courier *c)
{
	uint64_t hash = dest_sender_hash(TAILQ_FIRST(&c->jobs)->sender);

	if (c->transport == TRANSPORT_LOCAL)
		move_apart(c);
	else
		dest_slow(c->q, c->dest);
	c->apart = true;
	c->lane = ready_hold(c->q, c->transport, hash);
	courier_count(c);
}

static bool is_slow(const struct courier *c)
{
	return c->njobs > 0 && !c->apart && c->begun + SLOW_S <= c->q->tick;
}

void apart_if_slow(struct courier *c)
{
	if (is_slow(c))
		set_apart(c);
}

/* A host is quick if it is not slow; of a mailbox more is asked, since it may be
 * one of many. */
void apart_note_end(struct courier *c, struct destination *d)
{
	bool quick = c->transport == TRANSPORT_LOCAL ? courier_is_quick(c)
						     : !c->apart;

	if (quick && dest_is_slow(c->q, d))
		route_quick(d);
}
