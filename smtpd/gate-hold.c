/*
 * Sessions that wait for their clients. They cost a descriptor and a few
 * hundred bytes: an incomplete line, and the state of the session as the
 * process that had it wrote it down.
 *
 * While processes are short, content is also held until there is enough of it
 * or the message is complete: then a client that sends ten bytes and stops
 * costs no process.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "log/log.h"
#include "smtpd/gate.h"

#define INPUT_MAX 4096	/* kept for one client */
#define CONTENT_MS 1000 /* until content is looked at again */
#define HANDSHAKE_MS 60000
#define AGAIN_MS 100 /* until tlsproxy is asked again */

static struct {
	struct strangers held; /* the longest silent ones first */
} self = { TAILQ_HEAD_INITIALIZER(self.held) };

static bool ends(const struct stranger *x, const char *with)
{
	size_t n = strlen(with);

	return x->ninput >= n && memcmp(x->input + x->ninput - n, with, n) == 0;
}

/* Is what the client has sent worth a process? */
static bool is_enough(const struct stranger *x)
{
	if (x->ninput >= INPUT_MAX)
		return true;
	if (!x->content)
		return memchr(x->input, '\n', x->ninput) != NULL;
	return !gate_is_pressed() || ends(x, "\r\n.\r\n") ||
	       (x->ninput == 3 && ends(x, ".\r\n"));
}

static void wait_on(struct stranger *x)
{
	int64_t left = x->since_ms + gate.patience_ms - clock_ms();

	if (x->content && x->ninput > 0 && left > CONTENT_MS)
		left = CONTENT_MS;
	gate_watch(x, EV_READ, left > 0 ? left : 0);
}

void gate_hold(struct stranger *x)
{
	x->stage = HELD;
	x->since_ms = clock_ms();
	TAILQ_INSERT_TAIL(&self.held, x, link);
	wait_on(x);
}

void gate_unhold(struct stranger *x)
{
	TAILQ_REMOVE(&self.held, x, link);
}

void gate_each_held(void (*each)(struct stranger *x))
{
	struct stranger *x;

	TAILQ_FOREACH(x, &self.held, link)
		each(x);
}

/* If a session has begun, a process ends it and logs it. */
static void time_out(struct stranger *x)
{
	char text[300];

	if (x->session) {
		x->timed_out = true;
		gate_unhold(x);
		gate_queue(x);
		return;
	}
	snprintf(text, sizeof(text), "421 4.4.2 %.200s Error: timeout exceeded",
		 gate.hostname);
	gate_refuse(x, text, "it says nothing");
}

static void lose(struct stranger *x)
{
	static struct log_rate lost;

	if (x->session) {
		gate_unhold(x);
		gate_queue(x);
		return;
	}
	if (log_rate_allows(&lost, GATE_LINES_S, "lost connection"))
		log_info("lost connection after CONNECT from [%s]", x->ip);
	gate_drop(x);
}

/* 1 or more: bytes that came; 0: it is gone; -1: nothing. */
static ssize_t read_more(struct stranger *x)
{
	char more[INPUT_MAX];
	size_t room = INPUT_MAX - x->ninput;
	ssize_t n = recv(x->fd, more, room, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? -1 : 0;
	if (n == 0)
		return 0;
	x->input = mem_resize(x->input, x->ninput + (size_t)n, 1);
	memcpy(x->input + x->ninput, more, (size_t)n);
	x->ninput += (size_t)n;
	return n;
}

static void on_bytes(struct stranger *x)
{
	ssize_t n = read_more(x);

	if (n == 0) {
		lose(x);
	} else if (n > 0 && is_enough(x)) {
		gate_unhold(x);
		gate_queue(x);
	} else {
		wait_on(x);
	}
}

void gate_on_input(struct stranger *x, short what)
{
	if (x->tls_due) {
		gate_begin_handshake(x);
	} else if (x->tls_first && !x->session && !*x->tls &&
		   (what & EV_READ)) {
		gate_begin_handshake(x);
	} else if (what & EV_READ) {
		on_bytes(x);
	} else if (x->ninput > 0 && is_enough(x)) {
		gate_unhold(x);
		gate_queue(x);
	} else if (clock_ms() >= x->since_ms + gate.patience_ms) {
		time_out(x);
	} else {
		wait_on(x);
	}
}

bool gate_shed(void)
{
	struct stranger *x = TAILQ_FIRST(&self.held);
	char text[300];

	if (!x)
		return false;
	snprintf(text, sizeof(text),
		 "421 4.3.2 %.200s Error: too many connections, and you were "
		 "silent",
		 gate.hostname);
	gate_refuse(x, text, "no more descriptors");
	return true;
}

/* TLS: tlsproxy gets the client's descriptor, and gives back a plain one. */

/* Too many connections wait for tlsproxy now. */
static void put_off_handshake(struct stranger *x)
{
	x->stage = HELD;
	if (!x->tls_due)
		x->since_ms = clock_ms();
	x->tls_due = true;
	TAILQ_INSERT_TAIL(&self.held, x, link);
	gate_watch(x, EV_TIMEOUT, AGAIN_MS);
}

void gate_begin_handshake(struct stranger *x)
{
	int sock = tls_accept_begin(gate.tls_service, x->fd, HANDSHAKE_MS);

	if (x->stage == HELD)
		gate_unhold(x);
	x->stage = HANDSHAKE;
	if (sock < 0 && errno == EAGAIN &&
	    (!x->tls_due || clock_ms() < x->since_ms + HANDSHAKE_MS)) {
		put_off_handshake(x);
		return;
	}
	x->tls_due = false;
	if (sock < 0) {
		log_warn("no TLS for [%s]: %s", x->ip, err_why(ERR_TEMP));
		gate_drop(x);
		return;
	}
	event_del(&x->event);
	close(x->fd);
	x->fd = sock;
	gate_await_handshake(x);
}

void gate_await_handshake(struct stranger *x)
{
	gate_watch(x, EV_READ, HANDSHAKE_MS + 5000);
}

void gate_on_handshake(struct stranger *x)
{
	struct tls_info info;
	bool first = x->tls_first && !x->session;

	event_del(&x->event);
	x->fd = tls_accept_end(x->fd, &info);
	if (x->fd < 0) {
		log_info("TLS handshake with [%s] failed: %s", x->ip, info.why);
		gate_drop(x);
		return;
	}
	tls_describe(&info, x->tls, sizeof(x->tls));
	if (first)
		gate_say(x, gate.banner);
	gate_hold(x);
}
