#include "service/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/file.h"
#include "base/heartbeat.h"
#include "base/mem.h"
#include "ipc/ipc.h"
#include "log/log.h"

#define PAUSE_S 1 /* no accepting while there are no descriptors */

struct loop_listener {
	struct event *ready;
	struct event *resume;
	loop_accept_fn *accept;
	void *context;
	const struct service *service; /* of loop_serve */
	void (*take)(int sock, void *context);
	void *take_context;
};

/* What the handler of a signal or a timer calls: lives as long as the
 * program. */
struct action {
	void (*call)(void *context);
	void *context;
};

/* A program has one loop. */
static struct {
	struct service *service;
	struct event *link;
	void (*reload)(void *context);
	void *context;
} self;

static void reopen_log(void *context)
{
	(void)context;
	log_reopen();
}

static void on_action(evutil_socket_t fd, short what, void *arg)
{
	const struct action *a = arg;

	(void)fd;
	(void)what;
	a->call(a->context);
}

static void watch(struct event_base *base, int sig, void (*call)(void *),
		  void *context)
{
	struct action *a = mem_alloc(sizeof(*a));
	struct event *e = evsignal_new(base, sig, on_action, a);

	*a = (struct action){ call, context };
	if (!e || event_add(e, NULL) < 0)
		log_die(EX_OSERR, "cannot watch for signals");
}

static bool is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS ||
	       error == ENOMEM;
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval pause = { PAUSE_S, 0 };
	struct loop_listener *l = arg;

	(void)what;
	if (l->accept(fd, l->context) >= 0)
		return;
	if (errno == EINVAL) { /* it was shut down: readable for ever */
		log_error("a listening socket was shut down");
		event_del(l->ready);
	}
	if (!is_shortage(errno))
		return;
	log_warn("cannot accept connections: %m");
	event_del(l->ready);
	event_add(l->resume, &pause);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct loop_listener *l = arg;

	(void)fd;
	(void)what;
	event_add(l->ready, NULL);
}

/* A program that does not use the new configuration still logs by it. */
static void take_reload(void)
{
	struct config *c;

	if (self.reload) {
		self.reload(self.context);
		return;
	}
	c = service_fresh_config(self.service);
	config_free(&c);
}

static void on_link(evutil_socket_t fd, short what, void *arg)
{
	struct service *s = arg;
	enum link_word word;

	(void)fd;
	(void)what;
	while ((word = link_read(&s->link)) != LINK_QUIET) {
		if (word == LINK_RELOAD)
			take_reload();
		if (word == LINK_ENDED) {
			prefork_abandon(s->listener, s->nlisteners);
			event_del(self.link);
			return;
		}
	}
}

static void watch_link(struct event_base *base, struct service *s)
{
	self.service = s;
	self.link =
		event_new(base, s->link.fd, EV_READ | EV_PERSIST, on_link, s);
	if (!self.link || event_add(self.link, NULL) < 0)
		log_die(EX_OSERR, "cannot listen to master");
}

void loop_every(struct event_base *base, int ms, void (*call)(void *context),
		void *context)
{
	struct timeval t = { ms / 1000, ms % 1000 * 1000L };
	struct action *a;
	struct event *e;

	if (ms < 0)
		return;
	a = mem_alloc(sizeof(*a));
	*a = (struct action){ call, context };
	e = event_new(base, -1, EV_PERSIST, on_action, a);
	if (!e || event_add(e, &t) < 0)
		log_die(EX_OSERR, "cannot make a timer");
}

static void beat(void *context)
{
	(void)context;
	heartbeat();
}

struct event_base *loop_new(struct service *s)
{
	struct event_base *base = event_base_new();

	if (!base)
		log_die(EX_OSERR, "cannot make an event loop");
	if (s && s->link.fd >= 0)
		watch_link(base, s);
	/* signs of life for the parent, if it watches */
	loop_every(base, heartbeat_turn(-1), beat, NULL);
	return base;
}

void loop_signals(struct event_base *base, void (*stop)(void *),
		  void (*reload)(void *), void *context)
{
	watch(base, SIGTERM, stop, context);
	watch(base, SIGINT, stop, context);
	watch(base, SIGHUP, reopen_log, context);
	self.reload = reload;
	self.context = context;
}

struct loop_listener *loop_listen(struct event_base *base,
				  const struct prefork_listener *l,
				  loop_accept_fn *accept, void *context)
{
	struct loop_listener *n = mem_alloc(sizeof(*n));

	file_set_nonblock(l->fd, true);
	n->accept = accept;
	n->context = context;
	n->ready = event_new(base, l->fd, EV_READ | EV_PERSIST, on_ready, n);
	n->resume = evtimer_new(base, on_resume, n);
	if (!n->ready || !n->resume || event_add(n->ready, NULL) < 0)
		log_die(EX_OSERR, "cannot listen at socket %s", l->name);
	return n;
}

static int accept_program(int listener, void *context)
{
	struct loop_listener *l = context;
	int sock = ipc_accept(listener, l->service->peer, l->service->npeers,
			      NULL);

	if (sock >= 0)
		l->take(sock, l->take_context);
	return sock;
}

struct loop_listener *loop_serve(struct event_base *base,
				 const struct service *s, const char *name,
				 void (*take)(int sock, void *context),
				 void *context)
{
	const struct prefork_listener *found = service_listener(s, name);
	struct loop_listener *l;

	if (!found)
		log_die(EX_USAGE, "got no socket called %s", name);
	l = loop_listen(base, found, accept_program, NULL);
	l->context = l;
	l->service = s;
	l->take = take;
	l->take_context = context;
	return l;
}

void loop_unlisten(struct loop_listener **l)
{
	if (!*l)
		return;
	event_free((*l)->ready);
	event_free((*l)->resume);
	free(*l);
	*l = NULL;
}
