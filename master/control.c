#include "master/control.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "ipc/ipc.h"
#include "log/log.h"

static struct {
	const struct control_actions *act;
	char *path;
	int fd;
	struct event *listener;
} self = { .fd = -1 };

static void put_lines(struct ipc_out *m, const char *name, struct buf *text)
{
	char *p = text->data, *end;

	for (; *p; p = end + 1) {
		end = strchr(p, '\n');
		if (!end)
			break;
		ipc_put_span(m, name, p, (size_t)(end - p));
	}
}

static void do_status(struct ipc_out *a)
{
	struct buf text;

	buf_init(&text, 65536);
	self.act->status(&text);
	ipc_begin(a, "ok");
	put_lines(a, "service", &text);
	buf_free(&text);
}

static void do_reload(struct ipc_out *a)
{
	struct buf faults;
	bool good;

	buf_init(&faults, 65536);
	good = self.act->reload(&faults);
	ipc_begin(a, good ? "ok" : "failed");
	put_lines(a, "why", &faults);
	buf_free(&faults);
}

static void do_stop(struct ipc_out *a)
{
	ipc_begin(a, "ok");
	self.act->stop();
}

static const struct {
	const char *verb;
	void (*act)(struct ipc_out *a);
	bool restricted;
} verbs[] = {
	{ "status", do_status, false },
	{ "reload", do_reload, true },
	{ "stop", do_stop, true },
};

static void answer(const struct ipc_in *q, bool trusted, struct ipc_out *a)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (!ipc_is(q, verbs[i].verb))
			continue;
		if (verbs[i].restricted && !trusted)
			break;
		verbs[i].act(a);
		return;
	}
	ipc_begin(a, trusted ? "failed" : "denied");
	ipc_put(a, "why",
		trusted ? "no such verb"
			: "only root and the user that the suite "
			  "runs as may do that");
}

/* A peer gets one question, and no time: it was to be asked at once. */
static void on_connect(evutil_socket_t listener, short what, void *arg)
{
	struct ipc_in q = { 0 };
	struct ipc_out a = { 0 };
	uid_t uid;
	int fd = ipc_accept_any(listener, &uid);

	(void)what;
	(void)arg;
	if (fd < 0)
		return;
	if (ipc_recv(fd, &q, 200) == ERR_OK) {
		answer(&q, uid == 0 || uid == geteuid(), &a);
		if (ipc_send(fd, &a, 0))
			log_debug("nobody waits for master's answer");
	}
	close(fd);
	ipc_in_free(&q);
	ipc_out_free(&a);
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
				  on_connect, NULL);
	event_add(self.listener, NULL);
	return true;
}

void control_end(void)
{
	if (self.fd < 0)
		return;
	event_free(self.listener);
	close(self.fd);
	unlink(self.path);
	free(self.path);
	self.fd = -1;
}
