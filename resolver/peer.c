#include "resolver/peer.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "log/log.h"

#define BATCH 16 /* packets read from one peer before others have a turn */

struct peer {
	struct peers *peers;
	LIST_ENTRY(peer) next;
	int fd;
	struct event *readable;
	LIST_HEAD(, request) requests;
	int nrequests;
	bool broken; /* to be closed by the caller that is using it */
	bool reading;
};

struct request {
	struct waiter waiter; /* must be first: the pointers are the same */
	LIST_ENTRY(request) next;
	struct peer *peer;
	int64_t id; /* the peer's name for it; -1: none */
};

struct peers {
	struct asker *asker;
	LIST_HEAD(, peer) list;
	int n;
	struct ipc_in packet;
	int64_t full_said_ms;
};

static void request_free(struct request *r)
{
	LIST_REMOVE(r, next);
	r->peer->nrequests--;
	free(r);
}

static void peer_close(struct peer *p)
{
	struct request *r;

	if (p->reading) {
		p->broken = true;
		return;
	}
	while ((r = LIST_FIRST(&p->requests))) {
		question_forget(&r->waiter);
		request_free(r);
	}
	event_free(p->readable);
	close(p->fd);
	LIST_REMOVE(p, next);
	p->peers->n--;
	free(p);
}

/* PACKET also goes to others: it is left unchanged. */
static void on_answered(struct waiter *w, struct ipc_out *packet)
{
	struct request *r = (struct request *)w;
	struct peer *p = r->peer;
	size_t len = packet->data.len;
	int err;

	if (r->id >= 0)
		ipc_put_int(packet, "id", r->id);
	err = ipc_send(p->fd, packet, 0);
	buf_truncate(&packet->data, len);
	request_free(r);
	if (err)
		peer_close(p);
}

static void take_question(struct peer *p, const struct ipc_in *m)
{
	struct request *r = mem_alloc(sizeof(*r));

	r->peer = p;
	if (!ipc_int(m, "id", 0, INT32_MAX, &r->id))
		r->id = -1;
	r->waiter.answered = on_answered;
	LIST_INSERT_HEAD(&p->requests, r, next);
	p->nrequests++;
	question_ask(p->peers->asker, ipc_text(m, "name"), ipc_text(m, "type"),
		     &r->waiter);
}

/* One packet; false if there is none, or the peer is to be dropped. */
static bool take_packet(struct peer *p)
{
	struct ipc_in *m = &p->peers->packet;
	int err = ipc_recv(p->fd, m, 0);

	if (err == ERR_BUSY)
		return false;
	if (err || !ipc_is(m, "query") || p->nrequests >= PEER_QUESTIONS_MAX) {
		if (err != ERR_EOF)
			log_warn("malformed question from a program: "
				 "connection closed");
		p->broken = true;
		return false;
	}
	take_question(p, m);
	return !p->broken;
}

static void on_readable(int fd, short what, void *arg)
{
	struct peer *p = arg;

	(void)fd;
	(void)what;
	p->reading = true;
	for (int i = 0; i < BATCH; i++)
		if (!take_packet(p))
			break;
	p->reading = false;
	ipc_in_reset(&p->peers->packet);
	if (p->broken)
		peer_close(p);
}

struct peers *peers_new(struct asker *asker)
{
	struct peers *p = mem_alloc(sizeof(*p));

	p->asker = asker;
	LIST_INIT(&p->list);
	return p;
}

static void say_full(struct peers *s)
{
	int64_t now = clock_ms();

	if (s->full_said_ms && now - s->full_said_ms < 60000)
		return;
	s->full_said_ms = now;
	log_warn("%d programs are connected: further ones are refused",
		 PEERS_MAX);
}

void peers_add(struct peers *s, int fd)
{
	struct peer *p;

	if (s->n >= PEERS_MAX) {
		say_full(s);
		close(fd);
		return;
	}
	p = mem_alloc(sizeof(*p));
	p->peers = s;
	p->fd = fd;
	p->readable = event_new(s->asker->base, fd, EV_READ | EV_PERSIST,
				on_readable, p);
	LIST_INIT(&p->requests);
	LIST_INSERT_HEAD(&s->list, p, next);
	s->n++;
	event_add(p->readable, NULL);
}

bool peers_end(struct peers *s)
{
	struct peer *p = LIST_FIRST(&s->list), *next;

	for (; p; p = next) {
		next = LIST_NEXT(p, next);
		event_del(p->readable);
		if (p->nrequests == 0)
			peer_close(p);
	}
	return LIST_EMPTY(&s->list);
}
