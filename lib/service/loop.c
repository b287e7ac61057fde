#include "service/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/file.h"
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

/* What the handler of a signal calls: lives as long as the program. */
struct action {
	void (*call)(void *context);
	void *context;
};

static void reopen_log(void *context)
{
	(void)context;
	log_reopen();
}

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
	const struct action *a = arg;

	(void)sig;
	(void)what;
	a->call(a->context);
}

static void watch(struct event_base *base, int sig, void (*call)(void *),
		  void *context)
{
	struct action *a = mem_alloc(sizeof(*a));
	struct event *e = evsignal_new(base, sig, on_signal, a);

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
	if (l->accept(fd, l->context) >= 0 || !is_shortage(errno))
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

struct event_base *loop_new(void)
{
	struct event_base *base = event_base_new();

	if (!base)
		log_die(EX_OSERR, "cannot make an event loop");
	return base;
}

void loop_signals(struct event_base *base, void (*stop)(void *),
		  void (*reload)(void *), void *context)
{
	watch(base, SIGTERM, stop, context);
	watch(base, SIGINT, stop, context);
	watch(base, SIGHUP, reload ? reload : reopen_log, context);
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
