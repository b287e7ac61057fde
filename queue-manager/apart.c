/*
 * Slow deliveries on this machine: a command in one user's .forward may take
 * minutes, and mail for others in the same domain must not wait for it.
 */
#include <inttypes.h>
#include <stdio.h>

#include "queue-manager/courier-parts.h"
#include "queue-manager/route.h"

#define SLOW_S 10 /* a delivery that takes this long delays others */

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
static void set_apart(struct courier *c)
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
	c->apart = true;
	route_again(c->q, from);
	dest_update(c->q, from);
	dest_update(c->q, to);
}

static bool is_slow(const struct courier *c)
{
	return c->transport == TRANSPORT_LOCAL && c->njobs > 0 && !c->apart &&
	       c->begun + SLOW_S <= c->q->tick;
}

void apart_if_slow(struct courier *c)
{
	if (is_slow(c))
		set_apart(c);
}
