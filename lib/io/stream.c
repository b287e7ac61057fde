/*
 * Input is a window in one buffer that grows up to the reader's limit and is
 * moved to the front when it has been used up. The kernel does the waiting
 * where it can: a socket has SO_RCVTIMEO, which is set again only when the
 * remaining time has changed enough to matter, so that a read in the steady
 * state is one system call. Deadlines and the stop descriptor are checked when
 * the peer is silent. Output collects until OUT_FLUSH bytes, and its first
 * error is kept for the next read.
 *
 * With compression, what is received is kept by it (deflate.h) and taken out as
 * there is room in the window.
 */
#include "io/stream.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/heartbeat.h"
#include "base/file.h"
#include "base/mem.h"
#include "io/deflate.h"
#include "io/wait.h"

#define OUT_FLUSH 32768 /* bytes of output after which it is sent */
#define IN_START 8192
#define DEFAULT_TIMEOUT_MS 300000
#define STOP_LOOK_MS 1000 /* silence after which the stop is watched */
#define PART_MS 2000	  /* for the peer to stop sending, at the end */
#define PART_SILENCE_MS 500
#define HASTE_MS 100 /* … while others wait */

struct stream {
	int fd;
	bool socket;
	char *in;
	size_t in_cap;
	size_t in_max;
	size_t from; /* the window is in[from] to in[to] */
	size_t to;
	bool filled; /* the last read used all the room */
	struct buf out;
	int out_error;
	bool hung_up;
	int64_t timeout_ms;
	int64_t send_ms; /* … for output, or 0 */
	int64_t deadline_ms;
	int64_t socket_ms;	 /* SO_RCVTIMEO as we set it */
	int64_t read_ms;	 /* … at most, 0: no limit */
	int64_t look_ms;	 /* … where a stop is watched */
	int stop_fd;		 /* or -1 */
	bool stop_sends;
	struct deflate *deflate; /* or NULL */
	int in_error;		 /* of it */
};

static void take_fd(struct stream *s, int fd)
{
	int type;
	socklen_t len = sizeof(type);

	s->fd = fd;
	s->socket_ms = 0;
	s->socket = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0;
	if (!s->socket)
		file_set_nonblock(fd, true);
}

struct stream *stream_new(int fd, size_t in_max)
{
	struct stream *s = mem_alloc(sizeof(*s));

	take_fd(s, fd);
	s->in_max = in_max;
	s->timeout_ms = DEFAULT_TIMEOUT_MS;
	s->stop_fd = -1;
	s->look_ms = STOP_LOOK_MS;
	buf_init(&s->out, SIZE_MAX / 2);
	return s;
}

int stream_release(struct stream **sp)
{
	struct stream *s = *sp;
	int fd = s->fd;

	if (!s->socket)
		file_set_nonblock(fd, false);
	deflate_free(&s->deflate);
	free(s->in);
	buf_free(&s->out);
	free(s);
	*sp = NULL;
	return fd;
}

int stream_fd(const struct stream *s)
{
	return s->fd;
}

void stream_replace_fd(struct stream *s, int fd)
{
	take_fd(s, fd);
	s->from = s->to = 0;
	buf_reset(&s->out);
	s->out_error = s->in_error = ERR_OK;
	deflate_free(&s->deflate);
}

void stream_set_timeout(struct stream *s, int64_t ms)
{
	s->timeout_ms = ms;
}

void stream_set_send_timeout(struct stream *s, int64_t ms)
{
	s->send_ms = ms;
}

void stream_set_deadline(struct stream *s, int64_t at_ms)
{
	s->deadline_ms = at_ms;
}

void stream_set_stop(struct stream *s, int fd)
{
	s->stop_fd = fd;
	s->read_ms = s->look_ms;
}

void stream_stop_sends(struct stream *s)
{
	s->stop_sends = true;
}

void stream_set_look(struct stream *s, int64_t ms)
{
	s->look_ms = ms;
	if (s->read_ms)
		s->read_ms = ms;
}

/* When a call that begins now has to end. */
static int64_t limit(const struct stream *s, int64_t ms)
{
	int64_t at = clock_ms() + ms;

	return s->deadline_ms && s->deadline_ms < at ? s->deadline_ms : at;
}

/* As wait_until, for input; a stop ends it. */
static int wait_input(const struct stream *s, int64_t until_ms)
{
	struct pollfd p[2] = { { .fd = s->fd, .events = POLLIN },
			       { .fd = s->stop_fd, .events = POLLIN } };
	int64_t left = until_ms - clock_ms();
	int n;

	if (s->stop_fd < 0)
		return wait_until(s->fd, POLLIN, until_ms);
	if (left < 0)
		left = 0;
	n = poll(p, 2, heartbeat_turn(left));
	if (n > 0)
		return p[0].revents ? ERR_OK : ERR_STOPPING;
	if (n < 0 && errno != EINTR)
		return err_sys("wait for", "the other side");
	return clock_ms() < until_ms ? ERR_OK
				     : err_set(ERR_TIMEOUT, "timed out");
}

/* Sends N bytes; all, or an error. */
static int send_all(void *context, const char *data, size_t n)
{
	struct stream *s = context;
	int64_t until = 0;

	while (n > 0) {
		ssize_t done = s->socket ? send(s->fd, data, n,
						MSG_DONTWAIT | MSG_NOSIGNAL)
					 : write(s->fd, data, n);
		int err;

		if (done >= 0) {
			data += done;
			n -= (size_t)done;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			return err_sys("write to", "the connection");
		if (!until)
			until = limit(s,
				      s->send_ms ? s->send_ms : s->timeout_ms);
		err = wait_beside(s->fd, POLLOUT,
				  s->stop_sends ? s->stop_fd : -1, until);
		if (err)
			return err;
	}
	return ERR_OK;
}

/* Sends N bytes on their way; compression may hold some of them back unless
 * it is to be ALL. */
static void emit(struct stream *s, const char *data, size_t n, bool all)
{
	if (s->out_error)
		return;
	if (s->deflate)
		s->out_error =
			deflate_put(s->deflate, data, n, all, send_all, s);
	else
		s->out_error = send_all(s, data, n);
}

static void emit_held(struct stream *s, bool all)
{
	emit(s, s->out.data, s->out.len, all);
	buf_reset(&s->out);
}

int stream_flush(struct stream *s)
{
	emit_held(s, true);
	return s->out_error;
}

void stream_hang_up(struct stream *s)
{
	s->hung_up = true;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Throws away what the peer sends until UNTIL, or if STOP is or becomes
 * readable until HASTE. */
static void drain(const struct stream *s, int stop, int64_t until,
		  int64_t haste)
{
	char junk[4096];
	int64_t now;

	while ((now = clock_ms()) < until) {
		int64_t silent = earlier(now + PART_SILENCE_MS, until);
		int err = ERR_STOPPING;
		ssize_t n;

		if (stop < 0 || wait_until(stop, POLLIN, now) != ERR_OK)
			err = wait_input_beside(s->fd, stop, silent);
		if (err == ERR_STOPPING) {
			stop = -1;
			until = earlier(until, haste);
			continue;
		}
		if (err)
			return;
		n = recv(s->fd, junk, sizeof(junk), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return;
	}
}

/* Says that no more comes, and throws away what the peer is still sending. */
static void part(struct stream *s)
{
	int64_t now = clock_ms();

	stream_set_deadline(s, now + PART_MS);
	if (stream_flush(s) || !s->socket || shutdown(s->fd, SHUT_WR) < 0)
		return;
	drain(s, s->stop_fd, now + PART_MS, now + HASTE_MS);
}

void stream_free(struct stream **s)
{
	if (*s && (*s)->hung_up)
		part(*s);
	if (*s)
		close(stream_release(s));
}

void stream_put(struct stream *s, const void *data, size_t n)
{
	if (s->out_error)
		return;
	if (n >= OUT_FLUSH) {
		emit_held(s, false);
		emit(s, data, n, false);
		return;
	}
	buf_put(&s->out, data, n);
	if (s->out.len >= OUT_FLUSH)
		emit_held(s, false);
}

void stream_puts(struct stream *s, const char *text)
{
	stream_put(s, text, strlen(text));
}

void stream_vprintf(struct stream *s, const char *fmt, va_list ap)
{
	if (s->out_error)
		return;
	buf_vprintf(&s->out, fmt, ap);
	if (s->out.len >= OUT_FLUSH)
		emit_held(s, false);
}

void stream_printf(struct stream *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	stream_vprintf(s, fmt, ap);
	va_end(ap);
}

void stream_prepend(struct stream *s, const void *data, size_t n)
{
	size_t cap = n > IN_START ? n : IN_START;

	if (n == 0)
		return;
	s->in = mem_resize(s->in, cap, 1);
	s->in_cap = cap;
	memcpy(s->in, data, n);
	s->from = 0;
	s->to = n;
}

/* Makes room after the window: moves it to the front, or grows the buffer,
 * also when much comes at once. */
static bool make_room(struct stream *s)
{
	size_t cap;

	if (s->from > 0 && s->to == s->in_cap) {
		memmove(s->in, s->in + s->from, s->to - s->from);
		s->to -= s->from;
		s->from = 0;
	}
	if (s->to < s->in_cap && !s->filled)
		return true;
	s->filled = false;
	if (s->in_cap >= s->in_max)
		return s->to < s->in_cap;
	cap = s->in_cap ? s->in_cap * 2 : IN_START;
	if (cap > s->in_max)
		cap = s->in_max;
	s->in = mem_resize(s->in, cap, 1);
	s->in_cap = cap;
	return true;
}

/* Takes out of compression what there is room for. */
static void inflate_more(struct stream *s)
{
	size_t n;

	if (s->in_error || !s->deflate)
		return;
	s->in_error =
		deflate_take(s->deflate, s->in + s->to, s->in_cap - s->to, &n);
	s->filled = s->to + n == s->in_cap;
	s->to += n;
}

void stream_consume(struct stream *s, size_t n)
{
	s->from += n < s->to - s->from ? n : s->to - s->from;
	if (s->from == s->to)
		s->from = s->to = 0;
}

/* What has come is never hidden behind an empty window: whoever finds it so
 * waits for the descriptor. */
const char *stream_window(struct stream *s, size_t *n)
{
	if (s->from == s->to)
		inflate_more(s);
	*n = s->to - s->from;
	return s->in ? s->in + s->from : "";
}

bool stream_deflate(struct stream *s, const void *data, size_t n)
{
	struct buf came;
	size_t unread;
	const char *window = stream_window(s, &unread);

	if (stream_flush(s) != ERR_OK)
		return false;
	buf_init(&came, SIZE_MAX / 2);
	buf_put(&came, data, n);
	buf_put(&came, window, unread);
	s->deflate = deflate_new(came.data, came.len);
	buf_free(&came);
	if (!s->deflate)
		return false;
	s->from = s->to = 0;
	return make_room(s);
}

bool stream_leave(struct stream *s, struct buf *window)
{
	return s->deflate && s->from == s->to && s->out.len == 0 &&
	       !s->in_error && !s->out_error && deflate_leave(s->deflate, window);
}

bool stream_go_on(struct stream *s, const void *window, size_t n)
{
	s->deflate = deflate_go_on(window, n);
	return s->deflate && make_room(s);
}

/* Lets the kernel end a read of the socket after MS, or an eighth more: then
 * one call waits and reads, and the option seldom has to be set again. */
static bool limit_read(struct stream *s, int64_t ms)
{
	struct timeval t;

	if (s->read_ms && ms > s->read_ms)
		ms = s->read_ms;
	ms = heartbeat_turn(ms > 0 ? ms : 0);
	if (ms < 1)
		ms = 1;
	if (s->socket_ms >= ms && s->socket_ms <= ms + ms / 8)
		return true;
	t = (struct timeval){ ms / 1000, ms % 1000 * 1000 };
	if (setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)) < 0)
		return false;
	s->socket_ms = ms;
	return true;
}

/* Reads once, waiting at most until UNTIL_MS if the kernel can do that. */
static ssize_t receive(struct stream *s, int64_t until_ms)
{
	size_t n = s->in_cap - s->to;
	char *to = s->deflate ? deflate_room(s->deflate, &n) : s->in + s->to;
	ssize_t got;

	if (s->socket)
		got = recv(s->fd, to, n,
			   limit_read(s, until_ms - clock_ms()) ? 0
								: MSG_DONTWAIT);
	else
		got = read(s->fd, to, n);
	if (s->deflate && got > 0)
		deflate_added(s->deflate, (size_t)got);
	else if (got > 0)
		s->to += (size_t)got;
	s->filled = !s->deflate && got == (ssize_t)n;
	return got;
}

/* A dripping peer is never silent for long: has the stop come while we have
 * only part of what is wanted? */
static bool is_stopped(const struct stream *s)
{
	struct pollfd p = { .fd = s->stop_fd, .events = POLLIN };

	return s->to > s->from && s->stop_fd >= 0 && poll(&p, 1, 0) > 0;
}

int stream_fill(struct stream *s)
{
	int64_t until = limit(s, s->timeout_ms);
	size_t before;
	bool late = false;

	if (stream_flush(s))
		return s->out_error;
	if (is_stopped(s))
		return ERR_STOPPING;
	if (!make_room(s))
		return ERR_TOO_LONG;
	for (before = s->to;;) {
		ssize_t n;
		int err;

		inflate_more(s);
		if (s->to > before)
			return ERR_OK;
		if (s->in_error)
			return s->in_error;
		if (late)
			return err_set(ERR_TIMEOUT, "timed out");
		n = receive(s, until);
		if (s->to > before)
			return ERR_OK;
		/* compression may take much and give nothing */
		late = n > 0 && clock_ms() >= until;
		if (n > 0)
			continue;
		if (n == 0)
			return err_set(ERR_EOF, "connection closed");
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			return err_sys("read from", "the connection");
		/* the time is over, or part of it, or the descriptor is
		 * non-blocking */
		err = wait_input(s, until);
		if (err)
			return err;
	}
}

int stream_line(struct stream *s, size_t max, char **line, size_t *n)
{
	size_t seen = 0;
	int64_t timeout = s->timeout_ms, until = 0;
	int err = ERR_OK;

	for (;;) {
		size_t have = s->to - s->from;
		size_t look = have < max ? have : max;
		char *lf = NULL;

		if (look > seen)
			lf = memchr(s->in + s->from + seen, '\n', look - seen);
		if (lf) {
			*line = s->in + s->from;
			*n = (size_t)(lf - *line) + 1;
			s->from += *n;
			break;
		}
		seen = look;
		if (have >= max) {
			err = ERR_TOO_LONG;
			break;
		}
		/* one limit for the whole line, however it drips */
		if (!until)
			until = clock_ms() + timeout;
		else
			s->timeout_ms = until - clock_ms();
		err = stream_fill(s);
		if (err)
			break;
	}
	s->timeout_ms = timeout;
	return err;
}
