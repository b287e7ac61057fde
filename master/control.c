#include "master/control.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "ipc/ipc.h"
#include "log/log.h"

#define WAIT_S 5 /* for a peer to send its request */
#define STRANGERS_MAX 20

static struct {
	const struct control_actions *act;
	char *path;
	int fd;
	struct event *listener;
	int strangers; /* peers that are not trusted */
} self = { .fd = -1 };

/* A connected peer. */
struct peer {
	int fd;
	bool trusted; /* may reload and stop */
	struct event *readable;
};

static void put_lines(struct ipc_out *m, const char *name, const char *p)
{
	const char *end;

	for (; *p; p = end + 1) {
		end = strchr(p, '\n');
		if (!end)
			break;
		ipc_put_span(m, name, p, (size_t)(end - p));
	}
}

static void end(struct peer *p)
{
	if (!p->trusted)
		self.strangers--;
	event_free(p->readable);
	close(p->fd);
	free(p);
}

/* Sends A, the only answer to P, and frees both. */
static void answer(struct peer *p, struct ipc_out *a)
{
	if (ipc_send(p->fd, a, 0))
		log_debug("nobody waits for master's answer");
	ipc_out_free(a);
	end(p);
}

static void do_status(struct peer *p)
{
	struct ipc_out a = { 0 };
	struct buf text;
	int trouble = log_trouble();

	buf_init(&text, 65536);
	self.act->status(&text);
	ipc_begin(&a, "ok");
	put_lines(&a, "service", text.data);
	if (trouble)
		ipc_put(&a, "log", strerror(trouble));
	buf_free(&text);
	answer(p, &a);
}

static void on_reloaded(bool good, const char *faults, void *context)
{
	struct ipc_out a = { 0 };

	ipc_begin(&a, good ? "ok" : "failed");
	put_lines(&a, "why", faults);
	answer(context, &a);
}

static void do_reload(struct peer *p)
{
	self.act->reload(on_reloaded, p);
}

static void do_stop(struct peer *p)
{
	struct ipc_out a = { 0 };

	ipc_begin(&a, "ok");
	answer(p, &a);
	self.act->stop();
}

static void refuse(struct peer *p)
{
	struct ipc_out a = { 0 };

	ipc_begin(&a, p->trusted ? "failed" : "denied");
	ipc_put(&a, "why",
		p->trusted ? "no such verb"
			   : "only root and the user that the suite runs as "
			     "may do that");
	answer(p, &a);
}

static const struct {
	const char *verb;
	void (*act)(struct peer *p);
	bool restricted;
} verbs[] = {
	{ "status", do_status, false },
	{ "reload", do_reload, true },
	{ "stop", do_stop, true },
};

static void act_on(const struct ipc_in *q, struct peer *p)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (!ipc_is(q, verbs[i].verb))
			continue;
		if (verbs[i].restricted && !p->trusted)
			break;
		verbs[i].act(p);
		return;
	}
	refuse(p);
}

/* A peer may ask one question, and must do so at once. */
static void on_question(evutil_socket_t fd, short what, void *arg)
{
	struct ipc_in q = { 0 };
	struct peer *p = arg;

	/* on a busy machine its time may be over before we look, though it
	 * asked in time */
	(void)what;
	if (ipc_recv((int)fd, &q, 0) == ERR_OK)
		act_on(&q, p);
	else
		end(p);
	ipc_in_free(&q);
}

/* Anyone may connect, but only a few of those that may only look. */
static void on_connect(evutil_socket_t listener, short what, void *arg)
{
	static const struct timeval wait = { WAIT_S, 0 };
	uid_t uid;
	int fd = ipc_accept_any(listener, &uid);
	struct peer *p;

	(void)what;
	if (fd < 0)
		return;
	p = mem_alloc(sizeof(*p));
	p->fd = fd;
	p->trusted = uid == 0 || uid == geteuid();
	p->readable = event_new(arg, fd, EV_READ, on_question, p);
	if (!p->trusted)
		self.strangers++;
	if (self.strangers > STRANGERS_MAX)
		end(p);
	else
		event_add(p->readable, &wait);
}

bool control_begin(struct event_base *base, const char *path,
		   const struct control_actions *actions)
{
	self.act = actions;
	self.fd = ipc_listen(path, 0666, 20);
	if (self.fd < 0)
		return false;
	self.path = mem_strdup(path);
	self.listener = event_new(base, self.fd, EV_READ | EV_PERSIST,
				  on_connect, base);
	event_add(self.listener, NULL);
	return true;
}

void control_end(void)
{
	if (self.fd < 0)
		return;
	event_free(self.listener);
	close(self.fd);
	/* a stale socket refuses connections, as a missing one does */
	err_ignore(unlink(self.path));
	free(self.path);
	self.fd = -1;
}
