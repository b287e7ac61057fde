/*
 * The states of a parked session, and what moves it from one to the next: its
 * client, its folder, its clock, and accountd's answers.
 */
#include "mailbox-feed/parked.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "log/log.h"

#define OFFERS_MAX 16 /* at a time: logins want processes, too */
#define AGAIN_MS 100  /* until one is offered again */
#define TEXT_MAX 200  /* that is said to a client */
#define PACKET_MAX 100000
#define WAIT_MIN_MS 1000
#define WAIT_MAX_MS 7200000

enum stage { NEW, HELD, QUEUED, OFFERED };

TAILQ_HEAD(list, parked);

/* What is said to a client; perhaps compressed. */
struct text {
	char *data;
	size_t n;
};

/* Counts those of a user, or of one at an address. */
struct owner {
	unsigned n;
	char name[];
};

struct parked {
	struct event event; /* of the client or, if OFFERED, of accountd */
	TAILQ_ENTRY(parked) link;
	enum stage stage;
	bool due;  /* a folder has changed */
	bool last; /* the text ends the connection */
	int fd;	   /* the client's */
	int sock;  /* to accountd, or -1 */
	int64_t wait_ms;
	struct owner *user;
	struct owner *pair;
	parked_over *over;
	void *context;
	char *packet; /* attributes of `resume` */
	size_t npacket;
	struct text say;
	struct text stop;
	struct text refused; /* by accountd */
};

static struct {
	struct event_base *base;
	struct event *again;
	struct list held; /* and NEW ones */
	struct list queued;
	struct list offered;
	struct map *owners;
	unsigned n;
	unsigned max;
	unsigned offers;
	struct ipc_out out;
	struct ipc_in in;
} self = { .held = TAILQ_HEAD_INITIALIZER(self.held),
	   .queued = TAILQ_HEAD_INITIALIZER(self.queued),
	   .offered = TAILQ_HEAD_INITIALIZER(self.offered) };

static void on_event(evutil_socket_t fd, short what, void *arg);
static void offer_some(void);

static struct timeval interval(int64_t ms)
{
	return (struct timeval){ ms / 1000, ms % 1000 * 1000 };
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	offer_some();
}

void parked_setup(struct event_base *base, unsigned max)
{
	self.base = base;
	self.max = max;
	self.owners = map_new();
	self.again = evtimer_new(base, on_again, NULL);
}

bool parked_have_room(void)
{
	return self.n < self.max;
}

unsigned parked_count(const char *whom)
{
	const struct owner *o = map_get(self.owners, whom);

	return o ? o->n : 0;
}

static struct owner *enter(const char *whom)
{
	struct owner *o = map_get(self.owners, whom);
	size_t n = strlen(whom) + 1;

	if (!o) {
		o = mem_alloc(sizeof(*o) + n);
		memcpy(o->name, whom, n);
		map_put(self.owners, whom, o);
	}
	o->n++;
	return o;
}

static void leave(struct owner *o)
{
	if (--o->n > 0)
		return;
	map_remove(self.owners, o->name);
	free(o);
}

static struct list *list_of(const struct parked *p)
{
	static struct list *const lists[] = { [NEW] = &self.held,
					      [HELD] = &self.held,
					      [QUEUED] = &self.queued,
					      [OFFERED] = &self.offered };

	return lists[p->stage];
}

static void move(struct parked *p, enum stage to)
{
	TAILQ_REMOVE(list_of(p), p, link);
	p->stage = to;
	TAILQ_INSERT_TAIL(list_of(p), p, link);
}

static bool take_text(const struct ipc_in *m, const char *name, struct text *t)
{
	struct buf b;
	bool good;

	buf_init(&b, TEXT_MAX);
	good = ipc_base64(m, name, &b) && !b.over && b.len > 0;
	if (good) {
		t->n = b.len;
		t->data = buf_steal(&b);
	}
	buf_free(&b);
	return good;
}

/* What accountd is to get, as it came. */
static bool take_packet(struct parked *p, const struct ipc_in *m)
{
	static const char *const names[] = { "facts", "state", "seal" };

	ipc_begin(&self.out, "");
	buf_reset(&self.out.data);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *value = ipc_get(m, names[i]);

		if (!value)
			return false;
		ipc_put(&self.out, names[i], value);
	}
	if (self.out.data.over || self.out.data.len > PACKET_MAX)
		return false;
	p->npacket = self.out.data.len;
	p->packet = mem_alloc(p->npacket);
	memcpy(p->packet, self.out.data.data, p->npacket);
	return true;
}

static bool take(struct parked *p, struct ipc_in *m)
{
	p->last = ipc_get(m, "last");
	p->fd = ipc_take_fd(m);
	return p->fd >= 0 && take_text(m, "say", &p->say) &&
	       take_text(m, "stop", &p->stop) &&
	       take_text(m, "refused", &p->refused) && take_packet(p, m) &&
	       ipc_int(m, "wait", 0, WAIT_MAX_MS, &p->wait_ms);
}

struct parked *parked_new(struct ipc_in *m, const char *user, const char *pair,
			  parked_over *over, void *context)
{
	struct parked *p = mem_alloc(sizeof(*p));

	p->stage = NEW;
	p->fd = p->sock = -1;
	p->over = over;
	p->context = context;
	p->user = enter(user);
	p->pair = enter(pair);
	event_assign(&p->event, self.base, -1, 0, on_event, p);
	TAILQ_INSERT_TAIL(&self.held, p, link);
	self.n++;
	if (!take(p, m))
		parked_free(&p);
	else if (p->wait_ms < WAIT_MIN_MS)
		p->wait_ms = WAIT_MIN_MS;
	return p;
}

void parked_free(struct parked **pp)
{
	struct parked *p = *pp;

	event_del(&p->event);
	self.offers -= p->stage == OFFERED;
	TAILQ_REMOVE(list_of(p), p, link);
	if (p->sock >= 0)
		close(p->sock);
	if (p->fd >= 0)
		close(p->fd);
	leave(p->user);
	leave(p->pair);
	free(p->packet);
	free(p->say.data);
	free(p->stop.data);
	free(p->refused.data);
	free(p);
	*pp = NULL;
	self.n--;
}

static void watch(struct parked *p, int fd, int64_t ms)
{
	struct timeval t = interval(ms);

	event_del(&p->event);
	event_assign(&p->event, self.base, fd, EV_READ, on_event, p);
	if (event_add(&p->event, ms < 0 ? NULL : &t) < 0)
		log_warn("cannot watch a connection");
}

/* As far as possible without waiting. False: a part was sent, or it is gone. */
static bool say(const struct parked *p, const struct text *t)
{
	ssize_t done = send(p->fd, t->data, t->n, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (done < 0)
		return errno == EAGAIN || errno == EINTR;
	return (size_t)done == t->n;
}

/* Unread input would make the kernel reset the connection before the client
 * has seen what was said. */
static void drain(const struct parked *p)
{
	char junk[4096];

	/* whatever it is, it is dropped */
	err_ignore((int)recv(p->fd, junk, sizeof(junk), MSG_DONTWAIT));
}

static void end(struct parked *p)
{
	p->over(p->context);
}

/* OFFERED again to none. */
static void take_back(struct parked *p)
{
	const struct timeval pause = interval(AGAIN_MS);

	event_del(&p->event);
	self.offers--;
	if (p->sock >= 0)
		close(p->sock);
	p->sock = -1;
	move(p, QUEUED);
	if (!event_pending(self.again, EV_TIMEOUT, NULL))
		event_add(self.again, &pause);
}

/* False: nobody can be asked now. */
static bool offer(struct parked *p)
{
	int sock = ipc_connect_now("accountd"), err;

	if (sock < 0)
		return false;
	ipc_begin(&self.out, "resume");
	buf_put(&self.out.data, p->packet, p->npacket);
	ipc_put_fd(&self.out, p->fd);
	err = ipc_send(sock, &self.out, 0);
	if (err) {
		close(sock);
		return false;
	}
	p->sock = sock;
	move(p, OFFERED);
	self.offers++;
	watch(p, sock, -1);
	return true;
}

static void offer_some(void)
{
	const struct timeval pause = interval(AGAIN_MS);
	struct parked *p;

	if (event_pending(self.again, EV_TIMEOUT, NULL))
		return;
	while (self.offers < OFFERS_MAX && (p = TAILQ_FIRST(&self.queued)))
		if (!offer(p)) {
			event_add(self.again, &pause);
			break;
		}
}

static void queue(struct parked *p)
{
	event_del(&p->event);
	move(p, QUEUED);
	offer_some();
}

/* Nobody got the connection, or it was shut down already. */
static void say_refused(const struct parked *p)
{
	if (say(p, &p->refused))
		drain(p);
}

/* Without a right answer it is not known who has the connection: then nobody
 * may. */
static void on_answer(struct parked *p)
{
	int err = ipc_recv(p->sock, &self.in, 0);
	bool later = err == ERR_OK && ipc_is(&self.in, "later");

	if (err == ERR_BUSY)
		return;
	if (err == ERR_OK && ipc_is(&self.in, "refused"))
		say_refused(p);
	if (!later && (err || !ipc_is(&self.in, "ok")))
		shutdown(p->fd, SHUT_RDWR);
	ipc_in_reset(&self.in);
	if (later)
		take_back(p);
	else
		end(p);
	offer_some();
}

static void on_silence(struct parked *p)
{
	if (!say(p, &p->say) || p->last) {
		drain(p);
		end(p);
	} else {
		watch(p, p->fd, p->wait_ms);
	}
}

/* The client has spoken, or is gone. */
static void on_client(struct parked *p)
{
	char byte;
	ssize_t n = recv(p->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n > 0)
		queue(p);
	else if (n < 0 && (errno == EAGAIN || errno == EINTR))
		watch(p, p->fd, p->wait_ms);
	else
		end(p);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct parked *p = arg;

	(void)fd;
	if (p->stage == OFFERED)
		on_answer(p);
	else if (what & EV_READ)
		on_client(p);
	else
		on_silence(p);
}

void parked_begin(struct parked *p)
{
	move(p, HELD);
	if (p->due)
		queue(p);
	else
		watch(p, p->fd, p->wait_ms);
}

void parked_wake(struct parked *p)
{
	p->due = true;
	if (p->stage == HELD)
		queue(p);
}

static void say_stop(const struct list *l)
{
	const struct parked *p;

	TAILQ_FOREACH(p, l, link)
		if (p->stage != NEW && say(p, &p->stop))
			drain(p);
}

void parked_stop(void)
{
	say_stop(&self.held);
	say_stop(&self.queued);
}
