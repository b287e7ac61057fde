/*
 * libunbound may answer within the call that asks. A question that ends there
 * is marked over and freed by the caller (asking, over); and the next link of
 * a chain of CNAMEs is asked for in the next turn of the loop, never within
 * the answer to the one before.
 */
#include "resolver/question.h"

#include <stdlib.h>
#include <string.h>
#include <unbound-event.h>

#include "base/mem.h"
#include "log/log.h"
#include "resolver/wire.h"

#define ID_ROOM 64  /* bytes of a packet that a waiter may add */
#define LINKS_MAX 8 /* CNAMEs followed by separate questions */
#define CLASS_IN 1
#define RCODE_NOERROR 0
#define RCODE_SERVFAIL 2
#define RCODE_NXDOMAIN 3

enum security { INSECURE, BOGUS, SECURE }; /* as libunbound counts */

static const char *const security_words[] = { "insecure", "bogus", "secure" };

struct question {
	struct asker *asker;
	char *key; /* in asker->under_way */
	unsigned type;
	char name[WIRE_NAME_SIZE]; /* asked for now: after CNAMEs */
	enum security security;	   /* the worst of all links */
	uint32_t ttl;
	int links;
	int async_id;
	bool asking; /* within ub_resolve_event */
	bool over;   /* answered while asking */
	struct event *deadline;
	struct event *again;
	LIST_HEAD(, waiter) waiters;
};

static void ask(struct question *q);

static void question_free(struct question *q)
{
	if (q->deadline)
		event_free(q->deadline);
	if (q->again)
		event_free(q->again);
	free(q->key);
	free(q);
}

static void begin_answer(struct ipc_out *m, const char *status,
			 enum security security, uint32_t ttl,
			 const char *canonical)
{
	ipc_begin(m, "answer");
	ipc_put(m, "status", status);
	ipc_put(m, "security", security_words[security]);
	ipc_put_int(m, "ttl", ttl);
	ipc_put(m, "canonical", canonical);
}

static void begin_failure(struct ipc_out *m, enum security security,
			  const char *name, const char *why)
{
	begin_answer(m, "temp", security, 0, name);
	ipc_put(m, "why", why);
}

/* Gives all waiters the packet, and ends the question. */
static void finish(struct question *q)
{
	struct ipc_out *m = &q->asker->packet;
	struct waiter *w;

	if (m->data.over || m->data.len > IPC_PACKET_MAX - ID_ROOM)
		begin_failure(m, q->security, q->name, "answer too large");
	map_remove(q->asker->under_way, q->key);
	while ((w = LIST_FIRST(&q->waiters))) {
		LIST_REMOVE(w, next);
		w->answered(w, m);
	}
	q->over = true;
	if (!q->asking)
		question_free(q);
}

static void fail(struct question *q, const char *why)
{
	begin_failure(&q->asker->packet, q->security, q->name, why);
	finish(q);
}

static void on_again(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	ask(arg);
}

/* Asks for the target of a CNAME that came without its records: not within
 * libunbound's call, but in the next turn of the loop. */
static void follow(struct question *q, const struct wire_answer *w)
{
	static const struct timeval now = { 0, 0 };

	if (++q->links > LINKS_MAX) {
		fail(q, "too many CNAMEs");
		return;
	}
	if (q->links == 1 || w->ttl < q->ttl)
		q->ttl = w->ttl;
	str_copy(q->name, sizeof(q->name), w->canonical);
	if (!q->again)
		q->again = evtimer_new(q->asker->base, on_again, q);
	evtimer_add(q->again, &now);
}

static void finish_with(struct question *q, const struct wire_answer *w)
{
	struct ipc_out *m = &q->asker->packet;
	const char *status = w->record.n > 0		  ? "found"
			     : w->rcode == RCODE_NXDOMAIN ? "no-name"
							  : "no-data";
	uint32_t ttl = q->links && q->ttl < w->ttl ? q->ttl : w->ttl;

	begin_answer(m, status, q->security, ttl, w->canonical);
	for (size_t i = 0; i < w->record.n; i++)
		ipc_put(m, "rr", w->record.item[i]);
	finish(q);
}

static void note_security(struct question *q, int sec)
{
	if (sec == BOGUS)
		q->security = BOGUS;
	else if (sec != SECURE && q->security == SECURE)
		q->security = INSECURE;
}

static void use_answer(struct question *q, const struct wire_answer *w)
{
	if (w->rcode != RCODE_NOERROR && w->rcode != RCODE_NXDOMAIN)
		fail(q, w->rcode == RCODE_SERVFAIL ? "server failure"
						   : "refused by the server");
	else if (w->too_many)
		fail(q, "too many records");
	else if (w->rcode == RCODE_NOERROR && w->record.n == 0 &&
		 strcmp(w->canonical, q->name) != 0)
		follow(q, w);
	else
		finish_with(q, w);
}

static void on_answer(void *arg, int rcode, void *packet, int len, int sec,
		      char *why_bogus, int ratelimited)
{
	struct question *q = arg;
	struct wire_answer w;

	(void)ratelimited;
	q->async_id = 0;
	note_security(q, rcode ? INSECURE : sec);
	if (sec == BOGUS) {
		fail(q, why_bogus ? why_bogus : "signatures do not hold");
		return;
	}
	if (rcode) {
		fail(q, rcode == RCODE_SERVFAIL ? "server failure"
						: "refused by the server");
		return;
	}
	if (wire_read(packet, (size_t)len, q->name, q->type, &w))
		use_answer(q, &w);
	else
		fail(q, "malformed answer");
	strlist_free(&w.record);
}

static void on_deadline(int fd, short what, void *arg)
{
	struct question *q = arg;

	(void)fd;
	(void)what;
	if (q->async_id)
		ub_cancel(q->asker->ctx, q->async_id);
	q->security = INSECURE;
	fail(q, "no answer in time");
}

static void set_deadline(struct question *q)
{
	static const struct timeval limit = { QUESTION_MS / 1000, 0 };

	q->deadline = evtimer_new(q->asker->base, on_deadline, q);
	evtimer_add(q->deadline, &limit);
}

static void ask(struct question *q)
{
	int err;

	q->asking = true;
	err = ub_resolve_event(q->asker->ctx, q->name, (int)q->type, CLASS_IN,
			       q, on_answer, &q->async_id);
	if (err && !q->over)
		fail(q, ub_strerror(err));
	q->asking = false;
	if (q->over)
		question_free(q);
	else if (!q->deadline)
		set_deadline(q);
}

static void refuse(struct asker *a, const char *name, const char *status,
		   const char *why, struct waiter *w)
{
	begin_answer(&a->packet, status, INSECURE, 0, name);
	ipc_put(&a->packet, "why", why);
	w->answered(w, &a->packet);
}

static void start(struct asker *a, char *key, const char *name, unsigned type,
		  struct waiter *w)
{
	struct question *q = mem_alloc(sizeof(*q));

	q->asker = a;
	q->key = key;
	q->type = type;
	q->security = SECURE;
	str_copy(q->name, sizeof(q->name), name);
	LIST_INIT(&q->waiters);
	LIST_INSERT_HEAD(&q->waiters, w, next);
	map_put(a->under_way, key, q);
	ask(q);
}

void question_ask(struct asker *a, const char *name, const char *type,
		  struct waiter *w)
{
	char clean[WIRE_NAME_SIZE];
	unsigned number = wire_type(type);
	struct question *q;
	char *key;

	if (number == 0) {
		refuse(a, name, "temp", "unknown type", w);
		return;
	}
	/* a name that DNS cannot express does not exist there */
	if (!wire_name(name, clean, sizeof(clean))) {
		refuse(a, name, "no-name", "not a domain name", w);
		return;
	}
	key = mem_printf("%u %s", number, clean);
	q = map_get(a->under_way, key);
	if (q) {
		LIST_INSERT_HEAD(&q->waiters, w, next);
		free(key);
	} else if (map_count(a->under_way) >= QUESTIONS_MAX) {
		refuse(a, name, "temp", "too many questions", w);
		free(key);
	} else {
		start(a, key, clean, number, w);
	}
}

void question_forget(struct waiter *w)
{
	LIST_REMOVE(w, next);
}
