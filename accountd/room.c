#include "accountd/room.h"

#include <event2/event_struct.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "ipc/ipc.h"

#define KNOWN_MAX 20000
#define MEASURED_MAX 8 /* at once: each takes a process of local-deliver */
#define WAIT_S 2
#define KEEP_MS 1000

struct room_question {
	room_answer *answer;
	void *context;
	LIST_ENTRY(room_question) next;
};

/* A mailbox that is nearly full. */
struct mailbox {
	char *user;
	int64_t room;
	int64_t until_ms; /* ROOM is used */
	int sock;	  /* -1: it is not being measured */
	struct event measured;
	LIST_HEAD(, room_question) questions;
};

static struct {
	struct event_base *base;
	struct map *known; /* user → struct mailbox */
	int64_t enough;
	int measuring;
} self;

void room_begin(struct event_base *base, const struct config *c)
{
	self.base = base;
	self.known = map_new();
	self.enough = config_bytes(c, "message_size_limit");
	if (self.enough == 0)
		self.enough = INT64_MAX;
}

static void forget(struct mailbox *m)
{
	map_remove(self.known, m->user);
	free(m->user);
	free(m);
}

static void forget_all(void)
{
	size_t at = 0;
	void *value;

	while (map_next(self.known, &at, &value)) {
		struct mailbox *m = value;

		if (m->sock < 0)
			forget(m);
	}
}

void room_note(const char *user)
{
	struct mailbox *m;

	if (map_get(self.known, user))
		return;
	if (map_count(self.known) >= KNOWN_MAX)
		forget_all();
	m = mem_alloc(sizeof(*m));
	m->user = mem_strdup(user);
	m->sock = -1;
	map_put(self.known, user, m);
}

static void stop_measuring(struct mailbox *m)
{
	event_del(&m->measured);
	close(m->sock);
	m->sock = -1;
	self.measuring--;
}

/* False: it could not be measured. Without a limit there are no bytes. */
static bool read_answer(int sock, int64_t *room)
{
	struct ipc_in in = { 0 };
	bool good = ipc_recv(sock, &in, 0) == ERR_OK && ipc_is(&in, "room");

	if (!good || !ipc_int(&in, "bytes", 0, INT64_MAX, room))
		*room = INT64_MAX;
	ipc_in_free(&in);
	return good;
}

static void on_measured(evutil_socket_t fd, short what, void *arg)
{
	struct mailbox *m = arg;
	struct room_question *q;
	int64_t room = INT64_MAX;
	bool good = what & EV_READ && read_answer(fd, &room);

	m->room = room;
	m->until_ms = clock_ms() + KEEP_MS;
	stop_measuring(m);
	while ((q = LIST_FIRST(&m->questions))) {
		LIST_REMOVE(q, next);
		q->answer(q->context, room);
		free(q);
	}
	if (good && room >= self.enough)
		forget(m);
}

static bool ask(int sock, const char *user)
{
	struct ipc_out out = { 0 };
	bool good;

	ipc_begin(&out, "room");
	ipc_put(&out, "user", user);
	good = ipc_send(sock, &out, 0) == ERR_OK;
	ipc_out_free(&out);
	return good;
}

/* False: it cannot be measured now. */
static bool measure(struct mailbox *m)
{
	const struct timeval t = { WAIT_S, 0 };

	if (m->sock >= 0)
		return true;
	if (self.measuring >= MEASURED_MAX)
		return false;
	m->sock = ipc_connect_now("room");
	if (m->sock < 0)
		return false;
	self.measuring++;
	event_assign(&m->measured, self.base, m->sock, EV_READ, on_measured, m);
	event_add(&m->measured, &t);
	if (ask(m->sock, m->user))
		return true;
	stop_measuring(m);
	return false;
}

struct room_question *room_ask(const char *user, room_answer *answer,
			       void *context, int64_t *room)
{
	struct mailbox *m = map_get(self.known, user);
	struct room_question *q;

	*room = INT64_MAX;
	if (!m)
		return NULL;
	if (clock_ms() < m->until_ms) {
		*room = m->room;
		return NULL;
	}
	if (!measure(m))
		return NULL;
	q = mem_alloc(sizeof(*q));
	q->answer = answer;
	q->context = context;
	LIST_INSERT_HEAD(&m->questions, q, next);
	return q;
}

void room_cancel(struct room_question **q)
{
	if (!*q)
		return;
	LIST_REMOVE(*q, next);
	free(*q);
	*q = NULL;
}
