/*
 * Where a recipient is accounted for: while it waits, in a load of its
 * destination (dest.c); while a deliverer has it, in a `handed` of a courier
 * here. In both cases it is pending in its message (active.c). An answer, or
 * the end of the connection, gives back all that a handed stands for: its
 * place in the destination's window, the job of the message, the recipients.
 *
 * Answers come in the order of the jobs: one that is not for the oldest ends
 * the connection.
 */
#include "queue-manager/courier-parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "ipc/ipc.h"
#include "queue-manager/ready.h"
#include "log/log.h"
#include "queue-manager/active.h"
#include "qmgr/job.h"

#define IDLE_S 20    /* free connections are closed after this */
#define PAUSE_S 1    /* after a connection could not be made */
#define LOSSES_MAX 3 /* deliverers that may die with a message */

/* The result of a recipient for which no deliverer answers. */
#define OUR_FAULT(text)                                       \
	{                                                     \
		.flags = RESULT_SOON, .dsn = "4.3.0", .reply = (text) \
	}

static const struct result lost =
	OUR_FAULT("the delivery process ended unexpectedly");
static const struct result unsaid =
	OUR_FAULT("the delivery process said nothing of it");
static const struct result unsent =
	OUR_FAULT("it cannot be handed to the delivery process");

static const char *const service_name[TRANSPORTS] = { "local-deliver",
						      "remote-send" };

bool courier_is_quick(const struct courier *c)
{
	return c->begun + 1 >= c->q->tick;
}

/* The list is in the order in which free ones are preferred: those of remote
 * mail that have been free longest, whose sessions are the least likely to be
 * of use; else the last one, whose memory is in the caches. */
static void set_free(struct courier *c)
{
	struct courier_list *list = &c->q->couriers[c->transport];

	c->idle_since = c->q->tick;
	TAILQ_REMOVE(list, c, link);
	if (c->transport == TRANSPORT_REMOTE)
		TAILQ_INSERT_TAIL(list, c, link);
	else
		TAILQ_INSERT_HEAD(list, c, link);
}

static void end_job(struct courier *c, struct handed *h)
{
	TAILQ_REMOVE(&c->jobs, h, link);
	h->dest->quick = courier_is_quick(c);
	c->begun = c->q->tick;
	if (c->apart)
		ready_release(c->q, c->transport, c->lane);
	c->apart = false;
	if (--c->njobs == 0) {
		h->dest->couriers--;
		set_free(c);
	}
	h->dest->busy--;
	h->dest->blocked = false;
	courier_count(c);
	active_job_ended(c->q, h->active);
	free(h);
}

/* The deliverer died or ended without answering this job: it is unknown how
 * far it got, so its recipients are tried again, but not for ever. */
static void lose_job(struct courier *c, struct handed *h)
{
	struct active *a = h->active;
	bool again = ++a->losses <= LOSSES_MAX;
	struct destination *d = h->dest;

	for (size_t i = 0; i < h->n; i++)
		if (again)
			active_again(c->q, a, d, h->sender, h->index[i]);
		else
			active_skip(c->q, a, h->index[i], &lost);
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

/* Tells the scheduler, and why if the destination is down. */
static void feed_back(struct qmgr *q, struct destination *d,
		      enum job_destination dest, const struct result *r,
		      size_t n)
{
	static const struct result down = { .dsn = "4.4.1",
					    .reply = "destination is down" };
	const struct result *why = &down;

	for (size_t i = 0; i < n; i++)
		if (r[i].status == RESULT_DEFERRED)
			why = &r[i];
	if (dest == JOB_DEST_SLOW)
		dest_update(q, d);
	else
		dest_feedback(q, d, dest == JOB_DEST_DOWN, why);
}

/* What has no result in H, whose answer said that the destination is DEST. */
static void take_rest(struct qmgr *q, struct handed *h,
		      enum job_destination dest)
{
	if (dest == JOB_DEST_SLOW)
		dest_slow(q, h->dest);
	h->active->waited = h->active->waited || dest == JOB_DEST_SLOW;
	for (; h->n > 0; h->n--) {
		unsigned index = h->index[h->n - 1];

		if (dest == JOB_DEST_SLOW)
			active_again(q, h->active, h->dest, h->sender, index);
		else
			active_skip(q, h->active, index, &unsaid);
	}
}

/* One answer. False: it is not one that this deliverer may give. */
static bool take_answer(struct courier *c)
{
	struct qmgr *q = c->q;
	struct handed *h = TAILQ_FIRST(&c->jobs);
	struct result *r;
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
			active_result(q, h->active, &r[i], c->transport);
	take_rest(q, h, dest);
	d = h->dest;
	if (dest != JOB_DEST_SLOW)
		apart_note_end(c, d);
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

struct courier *courier_new(struct qmgr *q, enum transport t)
{
	struct courier *c;
	int sock;

	if ((int64_t)q->ncouriers[t] >= q->settings.processes[t] ||
	    q->paused_until[t] > q->tick)
		return NULL;
	sock = ipc_connect_now(service_name[t]);
	if (sock < 0) {
		/* it is busy, or about to come back */
		if (!q->away[t])
			log_warn("cannot connect to %s, tried again: %m",
				 service_name[t]);
		q->away[t] = true;
		q->paused_until[t] = q->tick + PAUSE_S;
		return NULL;
	}
	if (q->away[t])
		log_info("%s is there again", service_name[t]);
	q->away[t] = false;
	c = mem_alloc(sizeof(*c));
	c->q = q;
	c->transport = t;
	c->sock = sock;
	c->idle_since = q->tick;
	c->share = SHARES;
	TAILQ_INIT(&c->jobs);
	c->event = event_new(q->base, sock, EV_READ | EV_PERSIST, on_answer, c);
	event_add(c->event, NULL);
	TAILQ_INSERT_TAIL(&q->couriers[t], c, link);
	q->ncouriers[t]++;
	return c;
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
	j->patience_ms = l->active->waited ? 0 : apart_patience(q, l->dest);
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
		c->begun = q->tick;
	}
	c->dest = h->dest;
	courier_count(c);
	h->dest->busy++;
	h->active->jobs++;
}

/* A job that cannot be sent at all: its recipients wait. */
static void put_off(struct qmgr *q, struct load *l)
{
	while (l->n > 0)
		active_skip(q, l->active, l->index[--l->n], &unsent);
	dest_drop(q, l);
}

/* Hands out the next job of D to C. */
static void serve(struct qmgr *q, struct destination *d, struct courier *c)
{
	struct load *l = dest_next(d);
	size_t n;
	int err;

	n = l->n < (size_t)q->settings.recipient_limit
		    ? l->n
		    : (size_t)q->settings.recipient_limit;
	err = send_job(q, c, l, &n);
	if (err == ERR_BUSY && c->njobs > 0) {
		c->full = true;
	} else if (err == ERR_BUSY || err == ERR_EOF) {
		courier_end(c);
	} else if (err) {
		log_error("%s: cannot be handed to %s: %s",
			  l->active->m.super.id, service_name[d->transport],
			  err_why(err));
		put_off(q, l);
	} else {
		note_handed(q, c, l, n);
		dest_taken(q, l, n);
	}
}

/* One job of the destination whose turn it is. One that no courier can serve
 * now does not delay others: it is ready again when one of its jobs has ended.
 * False: none of this share can be served now. */
static bool serve_next(struct qmgr *q, enum transport t, enum share share)
{
	struct destination *d;

	while ((d = ready_next(q, t, share, courier_fair(q, t)))) {
		struct courier *c = courier_choose(q, d);

		if (c) {
			ready_turn(q, d);
			serve(q, d, c);
			return true;
		}
		if (!courier_for_others(q, d))
			return false;
		d->blocked = true;
		dest_update(q, d);
	}
	return false;
}

/* The shares in turn, and in each one destination after the other, one job
 * each. */
static void run(struct qmgr *q, enum transport t)
{
	int none = 0;

	while (none < SHARES) {
		enum share share = (enum share)q->turn[t];

		none = serve_next(q, t, share) ? 0 : none + 1;
		q->turn[t] = (q->turn[t] + 1) % SHARES;
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

/* If C is slow, what waits for its mailbox may go to another one. */
static void stop_waiting_for(struct courier *c)
{
	if (c->njobs == 0 || courier_is_quick(c))
		return;
	c->dest->blocked = false;
	dest_update(c->q, c->dest);
}

void courier_tick(struct qmgr *q)
{
	for (int t = 0; t < TRANSPORTS; t++) {
		struct courier *c, *next;

		for (c = TAILQ_FIRST(&q->couriers[t]); c; c = next) {
			next = TAILQ_NEXT(c, link);
			apart_if_slow(c);
			stop_waiting_for(c);
			if (c->njobs == 0 && c->idle_since + IDLE_S < q->tick)
				courier_end(c);
		}
	}
}
