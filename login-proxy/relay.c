/*
 * Two sides, alike. What is read from one is sent to the other, or kept there
 * until it has room. An end of file is passed on after all that came before
 * it; the other side then has some seconds to finish, as long as something
 * moves. A side that takes nothing for half an hour ends the session: its host
 * would not wait longer for it.
 */
#include "login-proxy/relay.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "log/log.h"
#include "login-proxy/count.h"

#define BLOCK 65536
#define KEPT_MAX (2 * BLOCK + 65536) /* what came before, and a block */
#define STALLED_S 1800
#define ENDING_S 10

struct relay;

struct side {
	struct relay *relay;
	struct side *other;
	int fd;
	struct event input;
	struct event room;
	struct buf kept;	 /* what it has not taken yet */
	bool ended;		 /* it sends nothing more */
	bool told;		 /* that the other side sends nothing more */
	unsigned long long sent; /* bytes that came from it */
};

struct relay {
	LIST_ENTRY(relay) link;
	struct side client;
	struct side host;
	struct event timer;
	struct count *user;
	struct count *pair;
	int64_t begun_ms;
	char *name; /* for the log */
};

static struct {
	struct event_base *base;
	struct relay_limits limits;
	void (*ended)(void);
	LIST_HEAD(, relay) relays;
	size_t n;
	struct map *users;
	struct map *pairs;
	char block[BLOCK];
} self;

void relay_setup(struct event_base *base, const struct relay_limits *limits,
		 void (*ended)(void))
{
	self.base = base;
	self.limits = *limits;
	self.ended = ended;
	self.users = map_new();
	self.pairs = map_new();
	LIST_INIT(&self.relays);
}

bool relay_have_room(void)
{
	return self.n < self.limits.all;
}

size_t relay_count(void)
{
	return self.n;
}

/* In memory of the caller. */
static char *pair_of(const struct relay_facts *f)
{
	return mem_printf("%s %s", f->user, f->client);
}

static bool is_below(unsigned n, size_t limit)
{
	return limit == 0 || n < limit;
}

bool relay_may(const struct relay_facts *f)
{
	char *pair = pair_of(f);
	bool may = is_below(count_of(self.users, f->user), self.limits.user) &&
		   is_below(count_of(self.pairs, pair), self.limits.pair);

	free(pair);
	return may;
}

static void end_side(struct side *s)
{
	event_del(&s->input);
	event_del(&s->room);
	close(s->fd);
	buf_free(&s->kept);
}

static void end_relay(struct relay *r)
{
	log_info("%s, seconds=%lld, received=%llu, sent=%llu", r->name,
		 (long long)(clock_ms() - r->begun_ms) / 1000, r->client.sent,
		 r->host.sent);
	LIST_REMOVE(r, link);
	event_del(&r->timer);
	end_side(&r->client);
	end_side(&r->host);
	count_less(self.users, r->user);
	count_less(self.pairs, r->pair);
	free(r->name);
	free(r);
	if (--self.n == 0)
		self.ended();
}

/* Sends N bytes to S, and keeps what does not go. False: S is gone. */
static bool put(struct side *s, const char *data, size_t n)
{
	ssize_t done = 0;

	if (s->kept.len == 0 && n > 0)
		done = send(s->fd, data, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (done < 0 && errno != EAGAIN && errno != EINTR)
		return false;
	if (done < 0)
		done = 0;
	if ((size_t)done < n)
		buf_put(&s->kept, data + done, n - (size_t)done);
	return !s->kept.over;
}

/* Sends what was kept, and frees its memory: most never need it again. */
static bool put_kept(struct side *s)
{
	ssize_t n = send(s->fd, s->kept.data, s->kept.len,
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	buf_consume(&s->kept, (size_t)n);
	if (s->kept.len == 0) {
		buf_free(&s->kept);
		buf_init(&s->kept, KEPT_MAX);
	}
	return true;
}

static void wait_if(struct event *e, bool wanted)
{
	if (wanted)
		event_add(e, NULL);
	else
		event_del(e);
}

static void pass_end(struct side *from)
{
	struct side *to = from->other;

	if (!from->ended || to->told || to->kept.len > 0)
		return;
	to->told = true;
	shutdown(to->fd, SHUT_WR);
}

static void set_timer(struct relay *r)
{
	const struct timeval ending = { ENDING_S, 0 };
	const struct timeval stalled = { STALLED_S, 0 };

	if (r->client.ended || r->host.ended)
		evtimer_add(&r->timer, &ending);
	else if (r->client.kept.len > 0 || r->host.kept.len > 0)
		evtimer_add(&r->timer, &stalled);
	else
		evtimer_del(&r->timer);
}

/* After each step: ends what is over, or sets what to wait for. */
static void settle(struct relay *r)
{
	struct side *const sides[] = { &r->client, &r->host };

	pass_end(&r->client);
	pass_end(&r->host);
	if (r->client.told && r->host.told) {
		end_relay(r);
		return;
	}
	for (size_t i = 0; i < 2; i++) {
		struct side *s = sides[i];

		wait_if(&s->input, !s->ended && s->other->kept.len == 0);
		wait_if(&s->room, s->kept.len > 0);
	}
	set_timer(r);
}

static void on_input(evutil_socket_t fd, short what, void *arg)
{
	struct side *s = arg;
	ssize_t n = recv(fd, self.block, BLOCK, MSG_DONTWAIT);

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		s->ended = true;
	else
		s->sent += (size_t)n;
	if (n > 0 && !put(s->other, self.block, (size_t)n))
		end_relay(s->relay);
	else
		settle(s->relay);
}

static void on_room(evutil_socket_t fd, short what, void *arg)
{
	struct side *s = arg;

	(void)fd;
	(void)what;
	if (put_kept(s))
		settle(s->relay);
	else
		end_relay(s->relay);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	end_relay(arg);
}

static void begin_side(struct side *s, struct relay *r, struct side *other,
		       int fd)
{
	s->relay = r;
	s->other = other;
	s->fd = fd;
	buf_init(&s->kept, KEPT_MAX);
	event_assign(&s->input, self.base, fd, EV_READ | EV_PERSIST, on_input,
		     s);
	event_assign(&s->room, self.base, fd, EV_WRITE | EV_PERSIST, on_room,
		     s);
}

static void enter(struct relay *r, const struct relay_facts *f)
{
	char *pair = pair_of(f);

	r->user = count_more(self.users, f->user);
	r->pair = count_more(self.pairs, pair);
	r->name = mem_printf("proxied session over: user=%s, service=%s, "
			     "client=%s, host=%s",
			     f->user, f->service, f->client, f->host);
	free(pair);
	LIST_INSERT_HEAD(&self.relays, r, link);
	self.n++;
}

void relay_begin(const struct relay_facts *f, int client, int host,
		 const struct relay_bytes *to_client,
		 const struct relay_bytes *to_host)
{
	struct relay *r = mem_alloc(sizeof(*r));

	r->begun_ms = clock_ms();
	begin_side(&r->client, r, &r->host, client);
	begin_side(&r->host, r, &r->client, host);
	evtimer_assign(&r->timer, self.base, on_timer, r);
	enter(r, f);
	r->client.sent = to_host->n;
	r->host.sent = to_client->n;
	if (put(&r->client, to_client->data, to_client->n) &&
	    put(&r->host, to_host->data, to_host->n))
		settle(r);
	else
		end_relay(r);
}

void relay_stop(void)
{
	while (!LIST_EMPTY(&self.relays))
		end_relay(LIST_FIRST(&self.relays));
}
