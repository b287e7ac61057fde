/*
 * Processes for clients that have spoken. As many sessions are handed on as
 * there may be processes; the others wait here, so that gate knows how short
 * processes are, and decides who is next: known clients before others, and of
 * the others the last to come, since one that waited long while processes are
 * short is probably one of a crowd, and serving all of them late helps nobody.
 * No client, and no network, has more processes than its share (gate-count.h),
 * however many are free, so that a few clients cannot take them all.
 *
 * While clients wait, processes are asked for their sessions, some at a time:
 * each once before any is asked again, and among those first the ones whose
 * clients are not known and hold most. The processes decide what to do: a
 * session between commands comes back here, one that is too slow is ended, and
 * when a process is asked again more counts as too slow.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "ipc/ipc.h"
#include "log/log.h"
#include "smtpd/gate.h"

#define TICK_MS 50   /* until processes are asked again */
#define AGAIN_MS 300 /* until one is asked again */
#define ASKED_MAX 50 /* at a time */
#define SAY_MS 10000 /* between complaints that a service is away */

static struct {
	struct strangers known, others; /* waiting */
	struct strangers served;	/* longest not asked first */
	unsigned waiting;
	unsigned busy;
	struct event *tick;
	struct ipc_in in;
	struct ipc_out out;
	int64_t said_ms;
} self = { .known = TAILQ_HEAD_INITIALIZER(self.known),
	   .others = TAILQ_HEAD_INITIALIZER(self.others),
	   .served = TAILQ_HEAD_INITIALIZER(self.served) };

bool gate_is_pressed(void)
{
	return self.waiting > 0;
}

static struct strangers *queue_of(const struct stranger *x)
{
	return x->known ? &self.known : &self.others;
}

static unsigned free_processes(void)
{
	return self.busy < gate.processes ? gate.processes - self.busy : 0;
}

/* If connections are not counted, clients are not told apart. */
static bool has_share(const struct stranger *x)
{
	return free_processes() > 0 &&
	       (!gate.client_limit ||
		gate_count_may(x->client, free_processes()));
}

static struct stranger *first_of(struct strangers *list)
{
	struct stranger *x;

	TAILQ_FOREACH(x, list, link)
		if (has_share(x))
			break;
	return x;
}

/* Who gets the next process; NULL: all are busy, or all who wait have their
 * share. */
static struct stranger *first(void)
{
	struct stranger *x;

	/* saves looking at each of thousands */
	if (free_processes() == 0)
		return NULL;
	x = first_of(&self.known);
	return x ? x : first_of(&self.others);
}

/* X has a process, or no longer has one. */
static void count_served(struct stranger *x, bool more)
{
	self.busy += more ? 1 : -1U;
	gate_count_process(x->client, more);
}

/* Would a further connection of X's client have to wait? */
static bool is_last_of_share(const struct stranger *x)
{
	return gate.client_limit &&
	       gate_count_processes(x->client) + 2 >= free_processes();
}

/* What the process has to know about X. */
static void describe(const struct stranger *x, struct ipc_out *m)
{
	ipc_begin(m, "connection");
	/* this one counts, even if the session has one too */
	if (*x->tls)
		ipc_put(m, "tls", x->tls);
	if (x->session) {
		buf_put(&m->data, x->session, x->nsession);
	} else {
		ipc_put(m, "client", x->ip);
		ipc_put(m, "local", x->local);
	}
	/* a wait for a process that is being made is no reason to hurry */
	if (self.busy * 4 > gate.processes * 3 || is_last_of_share(x))
		ipc_put(m, "stress", "yes");
	if (x->timed_out)
		ipc_put(m, "timeout", "yes");
	if (x->ninput > 0)
		ipc_put_base64(m, "input", x->input, x->ninput);
	ipc_put_fd(m, x->fd);
}

static void forget_session(struct stranger *x)
{
	free(x->session);
	free(x->input);
	x->session = x->input = NULL;
	x->nsession = x->ninput = 0;
	x->tls[0] = '\0';
}

static void complain(const char *what)
{
	int64_t now = clock_ms();

	if (self.said_ms && now - self.said_ms < SAY_MS)
		return;
	self.said_ms = now;
	log_warn("cannot reach %s: %s", gate.target, what);
}

/* False: nobody takes it now. */
static bool hand_over(struct stranger *x)
{
	int sock = ipc_connect_now(gate.target), err;

	if (sock < 0) {
		if (errno != EAGAIN)
			complain(strerror(errno));
		return false;
	}
	describe(x, &self.out);
	err = ipc_send(sock, &self.out, 0);
	if (err) {
		complain(err_why(err));
		close(sock);
		return false;
	}
	gate_unqueue(x);
	close(x->fd);
	x->fd = sock;
	forget_session(x);
	x->stage = SERVED;
	x->since_ms = clock_ms();
	x->asked = 0;
	TAILQ_INSERT_TAIL(&self.served, x, link);
	count_served(x, true);
	gate_watch(x, EV_READ, -1);
	return true;
}

static void serve(void)
{
	static const struct timeval tick = { 0, TICK_MS * 1000 };
	struct stranger *x;

	while ((x = first()) != NULL)
		if (!hand_over(x))
			break;
	if (self.waiting > 0 && !evtimer_pending(self.tick, NULL))
		evtimer_add(self.tick, &tick);
}

static unsigned weight(const struct stranger *x)
{
	return gate_count_processes(x->client) + gate_count_network(x->client);
}

/* Is A's process to be asked before B's? */
static bool is_before(const struct stranger *a, const struct stranger *b)
{
	if (a->asked != b->asked)
		return a->asked < b->asked;
	if (a->known != b->known)
		return b->known;
	return weight(a) > weight(b);
}

/* Whose process is asked next. While some are free, only clients that have
 * their share have to wait. */
static struct stranger *next_asked(int64_t now)
{
	struct stranger *best = NULL, *x;

	TAILQ_FOREACH(x, &self.served, link)
		if (now - x->since_ms >= AGAIN_MS && !has_share(x) &&
		    (!best || is_before(x, best)))
			best = x;
	return best;
}

static void ask_for(struct stranger *x, int64_t now)
{
	ipc_begin(&self.out, "wanted");
	if (x->asked++ > 0)
		ipc_put(&self.out, "hurry", "yes");
	/* one that cannot take it is about to end */
	err_ignore(ipc_send(x->fd, &self.out, 0));
	x->since_ms = now;
	TAILQ_REMOVE(&self.served, x, link);
	TAILQ_INSERT_TAIL(&self.served, x, link);
}

/* Asks a few more processes than are needed, since not all give up their
 * sessions, but at most a tenth of all, so that they do not all come back at
 * once. */
static void ask(void)
{
	unsigned part = gate.processes / 10 + 1;
	unsigned n = self.waiting < part / 4 ? self.waiting * 4 : part;
	int64_t now = clock_ms();
	struct stranger *x;

	n = n < ASKED_MAX ? n : ASKED_MAX;
	while (n-- > 0 && (x = next_asked(now)) != NULL)
		ask_for(x, now);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	serve();
	if (self.waiting > 0 && !first())
		ask();
}

void gate_serve_begin(void)
{
	self.tick = evtimer_new(gate.base, on_tick, NULL);
}

void gate_queue(struct stranger *x)
{
	x->stage = QUEUED;
	x->known = gate_is_known(x->client);
	event_del(&x->event);
	TAILQ_INSERT_HEAD(queue_of(x), x, link);
	self.waiting++;
	serve();
}

void gate_unqueue(struct stranger *x)
{
	TAILQ_REMOVE(queue_of(x), x, link);
	self.waiting--;
}

void gate_each_queued(void (*each)(struct stranger *x))
{
	struct stranger *x;

	TAILQ_FOREACH(x, &self.known, link)
		each(x);
	TAILQ_FOREACH(x, &self.others, link)
		each(x);
}

void gate_unserve(struct stranger *x)
{
	TAILQ_REMOVE(&self.served, x, link);
	count_served(x, false);
	serve();
}

/* Keeps the attributes unchanged, except those that are gate's own. */
static void keep_session(struct stranger *x, const struct ipc_in *m)
{
	struct buf b;

	buf_init(&b, IPC_PACKET_MAX);
	for (size_t i = 0; i < m->nattrs; i++) {
		if (strcmp(m->attr[i].name, "input") == 0)
			continue;
		buf_printf(&b, "%s=%s", m->attr[i].name, m->attr[i].value);
		buf_put(&b, "", 1);
	}
	x->nsession = b.len;
	x->session = buf_steal(&b);
}

static void keep_input(struct stranger *x, const struct ipc_in *m)
{
	struct buf b;

	if (!ipc_get(m, "input"))
		return;
	buf_init(&b, IPC_PACKET_MAX);
	if (ipc_base64(m, "input", &b)) {
		x->ninput = b.len;
		x->input = buf_steal(&b);
	}
	buf_free(&b);
}

static void take_back(struct stranger *x, struct ipc_in *m, int fd)
{
	event_del(&x->event);
	close(x->fd);
	x->fd = fd;
	keep_session(x, m);
	keep_input(x, m);
	x->content = str_equal(ipc_get(m, "until"), "content");
	x->stage = HANDSHAKE;
	if (str_equal(ipc_get(m, "until"), "tls"))
		gate_begin_handshake(x);
	else if (str_equal(ipc_get(m, "until"), "handshake"))
		gate_await_handshake(x);
	else
		gate_hold(x);
}

void gate_on_process(struct stranger *x)
{
	struct ipc_in *m = &self.in;
	int err = ipc_recv(x->fd, m, 0), fd;
	int64_t accepted;

	if (err == ERR_BUSY) {
		gate_watch(x, EV_READ, -1);
		return;
	}
	if (!err && ipc_int(m, "accepted", 1, INT64_MAX, &accepted))
		gate_know(x->client);
	fd = !err && ipc_is(m, "park") ? ipc_take_fd(m) : -1;
	if (fd < 0) {
		gate_drop(x);
		return;
	}
	TAILQ_REMOVE(&self.served, x, link);
	count_served(x, false);
	take_back(x, m, fd);
	serve();
}
