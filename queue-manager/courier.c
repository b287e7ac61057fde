/*
 * Who owes what for a recipient: while it waits it is in a load of its
 * destination (dest.c), while it is with a deliverer in a `handed` of a
 * courier here. Both ways it is pending in its message (active.c). An answer,
 * or the end of the connection, gives back all that a handed stands for: place
 * in the destination's window, job of the message, recipients.
 *
 * Answers come in the order of the jobs: one that is not for the oldest ends
 * the connection.
 */
#include "queue-manager/courier.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "ipc/ipc.h"
#include "log/log.h"
#include "queue-manager/active.h"
#include "queue-manager/route.h"
#include "queue/job.h"

#define IDLE_S 20    /* free connections are closed after this */
#define PAUSE_S 1    /* after a connection could not be made */
#define LOSSES_MAX 3 /* deaths of deliverers that a message may see */
#define SLOW_S 10    /* a delivery here that takes so long holds up others */

/* A job that a deliverer has. */
struct handed {
	TAILQ_ENTRY(handed) link;
	uint64_t number;
	struct active *active;
	struct destination *dest;
	const char *sender;
	size_t n;
	unsigned index[];
};

struct courier {
	TAILQ_ENTRY(courier) link;
	struct qmgr *q;
	enum transport transport;
	int sock;
	struct event *event;
	struct destination *dest; /* of its jobs, or of the last one */
	TAILQ_HEAD(, handed) jobs;
	unsigned njobs;
	bool full;  /* its socket takes no more just now */
	bool apart; /* its first job is slow: see set_apart */
	time_t idle_since;
	time_t begun; /* its first job */
};

static const char *const service_name[TRANSPORTS] = { "local-deliver",
						      "remote-send" };

static void end_job(struct courier *c, struct handed *h)
{
	TAILQ_REMOVE(&c->jobs, h, link);
	c->begun = c->q->now;
	c->apart = false;
	if (--c->njobs == 0) {
		h->dest->couriers--;
		c->idle_since = c->q->now;
	}
	h->dest->busy--;
	active_job_ended(c->q, h->active);
	free(h);
}

/* The deliverer died or ended with this job unanswered: nobody knows how far
 * it came, so its recipients are tried again; not for ever. */
static void lose_job(struct courier *c, struct handed *h)
{
	struct active *a = h->active;
	bool again = ++a->losses <= LOSSES_MAX;
	struct destination *d = h->dest;

	for (size_t i = 0; i < h->n; i++)
		if (again)
			dest_add(c->q, d, a, h->sender, h->index[i]);
		else
			active_skip(c->q, a, h->index[i], "4.3.0",
				    "the delivery process ended unexpectedly");
	end_job(c, h);
	dest_update(c->q, d);
}

static void courier_end(struct courier *c)
{
	struct handed *h;

	while ((h = TAILQ_FIRST(&c->jobs)))
		lose_job(c, h);
	TAILQ_REMOVE(&c->q->couriers[c->transport], c, link);
	c->q->ncouriers[c->transport]--;
	event_free(c->event);
	close(c->sock);
	free(c);
}

static bool take_index(struct handed *h, unsigned index)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->index[i] == index) {
			h->index[i] = h->index[--h->n];
			return true;
		}
	return false;
}

/* The reply that says why a destination is down. */
static void feed_back(struct qmgr *q, struct destination *d,
		      enum job_destination dest, const struct job_result *r,
		      size_t n)
{
	const char *dsn = "4.4.1", *reply = "destination is down";

	for (size_t i = 0; i < n; i++)
		if (r[i].status == JOB_DEFERRED) {
			dsn = r[i].dsn;
			reply = r[i].reply;
		}
	dest_feedback(q, d, dest == JOB_DEST_DOWN, dsn, reply);
}

/* One answer. False: it is none that this deliverer may give. */
static bool take_answer(struct courier *c)
{
	struct qmgr *q = c->q;
	struct handed *h = TAILQ_FIRST(&c->jobs);
	struct job_result *r;
	struct destination *d;
	enum job_destination dest;
	uint64_t number;
	size_t n;

	arena_reset(q->scratch);
	if (!h ||
	    job_results_read(q->scratch, &q->in, &number, &r, &n, &dest) !=
		    ERR_OK ||
	    number != h->number)
		return false;
	for (size_t i = 0; i < n; i++)
		if (take_index(h, r[i].index))
			active_result(q, h->active, r[i].index, &r[i],
				      c->transport);
	for (; h->n > 0; h->n--)
		active_skip(q, h->active, h->index[h->n - 1], "4.3.0",
			    "the delivery process said nothing of it");
	d = h->dest;
	end_job(c, h);
	c->full = false;
	feed_back(q, d, dest, r, n);
	return true;
}

static void on_answer(evutil_socket_t sock, short what, void *arg)
{
	struct courier *c = arg;

	(void)what;
	do {
		int err = ipc_recv((int)sock, &c->q->in, 0);

		if (err == ERR_BUSY)
			return;
		if (err == ERR_OK && take_answer(c))
			continue;
		if (err != ERR_EOF)
			log_warn("%s gave a wrong answer",
				 service_name[c->transport]);
		courier_end(c);
		return;
	} while (c->njobs > 0);
}

static struct courier *courier_new(struct qmgr *q, enum transport t)
{
	struct courier *c;
	int sock;

	if ((int64_t)q->ncouriers[t] >= q->settings.processes[t] ||
	    q->paused_until[t] > q->now)
		return NULL;
	sock = ipc_connect(service_name[t]);
	if (sock < 0) {
		log_warn("cannot connect to %s: %m", service_name[t]);
		q->paused_until[t] = q->now + PAUSE_S;
		return NULL;
	}
	c = mem_alloc(sizeof(*c));
	c->q = q;
	c->transport = t;
	c->sock = sock;
	c->idle_since = q->now;
	TAILQ_INIT(&c->jobs);
	c->event = event_new(q->base, sock, EV_READ | EV_PERSIST, on_answer, c);
	event_add(c->event, NULL);
	TAILQ_INSERT_TAIL(&q->couriers[t], c, link);
	q->ncouriers[t]++;
	return c;
}

/* Is C a better choice for D than BEST? */
static struct courier *better(struct courier *c, struct courier *best,
			      const struct destination *d)
{
	bool mine = c->dest == d;

	if (c->full || c->apart || (c->njobs && !mine) ||
	    c->njobs >= dest_jobs_max(d) || c->njobs >= COURIER_DEPTH)
		return best;
	if (c->njobs == 0 && !mine && d->couriers >= dest_concurrency(d))
		return best;
	if (!best)
		return c;
	if (c->njobs != best->njobs)
		return c->njobs < best->njobs ? c : best;
	if (mine != (best->dest == d))
		return mine ? c : best;
	return c->idle_since > best->idle_since ? c : best;
}

/* A free connection, best one that had this destination before; else a new
 * one; else one that has jobs of it and room for more. */
static struct courier *courier_for(struct qmgr *q, struct destination *d)
{
	struct courier *best = NULL, *c;
	bool keeps_sessions = d->transport == TRANSPORT_REMOTE;

	TAILQ_FOREACH(c, &q->couriers[d->transport], link)
	best = better(c, best, d);
	if (best && best->njobs == 0 && (best->dest == d || !keeps_sessions))
		return best;
	if (d->couriers < dest_concurrency(d)) {
		c = courier_new(q, d->transport);
		if (c)
			return c;
	}
	return best;
}

static void fill_recipients(struct job *j, const struct load *l, size_t n,
			    struct arena *arena)
{
	const struct message *m = &l->active->m;

	j->recipient = arena_alloc(arena, n * sizeof(*j->recipient));
	j->nrecipients = n;
	for (size_t i = 0; i < n; i++) {
		unsigned index = l->index[l->n - n + i];
		const struct recipient *r = &m->rcpt[index];

		j->recipient[i] =
			(struct job_recipient){ index, r->address, r->orcpt,
						r->original, r->notify };
	}
}

static void fill_job(struct qmgr *q, struct job *j, const struct load *l,
		     int fd)
{
	const struct message *m = &l->active->m;

	*j = (struct job){ .number = ++q->job_number, .fd = fd };
	j->id = m->super.id;
	j->offset = m->super.content;
	j->length = m->super.length;
	j->destination = l->dest->name;
	j->sender = l->sender;
	j->envid = m->envelope.envid;
	j->ret = m->envelope.ret;
	j->body = m->envelope.body;
	j->smtputf8 = m->envelope.smtputf8;
	j->arrival_us = m->envelope.arrival_us;
	j->prologue = m->envelope.prologue;
}

/* Sends N recipients of L; fewer if they do not fit a packet. */
static int send_job(struct qmgr *q, struct courier *c, struct load *l,
		    size_t *n)
{
	struct job j;
	int err, fd = slot_ro(l->active->slot);

	if (fd < 0)
		return ERR_IO;
	arena_reset(q->scratch);
	fill_job(q, &j, l, fd);
	for (;; *n /= 2) {
		fill_recipients(&j, l, *n, q->scratch);
		job_write(&q->out, &j);
		err = ipc_send(c->sock, &q->out, 0);
		if (err != ERR_TOO_LONG || *n == 1)
			return err;
	}
}

static void note_handed(struct qmgr *q, struct courier *c, struct load *l,
			size_t n)
{
	struct handed *h = mem_alloc(sizeof(*h) + n * sizeof(h->index[0]));

	h->number = q->job_number;
	h->active = l->active;
	h->dest = l->dest;
	h->sender = l->sender;
	h->n = n;
	memcpy(h->index, l->index + l->n - n, n * sizeof(h->index[0]));
	TAILQ_INSERT_TAIL(&c->jobs, h, link);
	if (c->njobs++ == 0) {
		h->dest->couriers++;
		c->begun = q->now;
	}
	c->dest = h->dest;
	h->dest->busy++;
	h->active->jobs++;
}

/* A job that cannot be sent at all: its recipients wait. */
static void put_off(struct qmgr *q, struct load *l, const char *why)
{
	while (l->n > 0)
		active_skip(q, l->active, l->index[--l->n], "4.3.0", why);
	dest_drop(q, l);
}

/* Hands out the next job of D. False: no courier is free for it. */
static bool serve(struct qmgr *q, struct destination *d)
{
	struct load *l = dest_next(d);
	struct courier *c = courier_for(q, d);
	size_t n;
	int err;

	if (!c)
		return false;
	n = l->n < (size_t)q->settings.recipient_limit
		    ? l->n
		    : (size_t)q->settings.recipient_limit;
	err = send_job(q, c, l, &n);
	if (err == ERR_BUSY && c->njobs > 0) {
		c->full = true;
	} else if (err == ERR_BUSY || err == ERR_EOF ||
		   (err == ERR_IO && errno == EPIPE)) {
		courier_end(c);
	} else if (err) {
		log_error("%s: cannot be handed to %s: %s",
			  l->active->m.super.id, service_name[d->transport],
			  err_text(err));
		put_off(q, l, "it cannot be handed to the delivery process");
	} else {
		note_handed(q, c, l, n);
		dest_taken(q, l, n);
	}
	return true;
}

static void run(struct qmgr *q, enum transport t)
{
	struct destination *d;

	while ((d = TAILQ_FIRST(&q->ready[t]))) {
		if (!serve(q, d))
			return;
		if (!d->in_ready)
			continue;
		/* the others' turn */
		TAILQ_REMOVE(&q->ready[t], d, link);
		TAILQ_INSERT_TAIL(&q->ready[t], d, link);
	}
}

void courier_run(struct qmgr *q)
{
	for (int t = 0; t < TRANSPORTS; t++)
		run(q, (enum transport)t);
}

size_t courier_jobs(const struct qmgr *q)
{
	const struct courier *c;
	size_t n = 0;

	for (int t = 0; t < TRANSPORTS; t++)
		TAILQ_FOREACH(c, &q->couriers[t], link)
	n += c->njobs;
	return n;
}

void courier_forget(struct qmgr *q, const struct destination *d)
{
	struct courier *c;

	TAILQ_FOREACH(c, &q->couriers[d->transport], link)
	if (c->dest == d)
		c->dest = NULL;
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

/* Recipients that wait for D are routed again: some go another way now. */
static void route_again(struct qmgr *q, struct destination *d)
{
	struct load *l, *next;

	for (unsigned i = 0; i < LANES; i++)
		for (l = TAILQ_FIRST(&d->lane[i]); l; l = next) {
			next = TAILQ_NEXT(l, in_dest);
			route_load(q, l);
		}
}

/* Moves the jobs of C to a queue of their own, so that those that wait for
 * the same domain do not wait for these. Whoever of the first one makes it
 * slow, its recipients go alone for a while. */
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
	       c->begun + SLOW_S <= c->q->now;
}

void courier_tick(struct qmgr *q)
{
	for (int t = 0; t < TRANSPORTS; t++) {
		struct courier *c, *next;

		for (c = TAILQ_FIRST(&q->couriers[t]); c; c = next) {
			next = TAILQ_NEXT(c, link);
			if (is_slow(c))
				set_apart(c);
			if (c->njobs == 0 && c->idle_since + IDLE_S < q->now)
				courier_end(c);
		}
	}
}
