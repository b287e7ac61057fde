/*
 * A buffered connection with deadlines, for programs that read from top to
 * bottom. Every call that may wait takes at most the stream's timeout in all,
 * however slowly bytes drip.
 *
 * Output is held back until the buffer is full, stream_flush is called, or
 * the available input has been used up: so the replies to a pipelined batch of
 * commands leave in one packet without further care.
 */
#ifndef IO_STREAM_H
#define IO_STREAM_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct stream;

/* A stream over FD, which it owns from now on. It reads ahead at most
 * IN_MAX bytes (the longest line that it can give). */
struct stream *stream_new(int fd, size_t in_max);

/* The last reply is put, and the peer may still be sending: input that nobody
 * reads would make the kernel reset the connection, and the peer might never
 * see why it ended. So stream_free will then flush, and throw away what comes
 * until the peer closes, is silent for half a second, or two seconds are over;
 * a tenth of a second, if the descriptor of stream_set_stop is readable. */
void stream_hang_up(struct stream *s);

/* Flushes nothing, closes the descriptor, frees; *S becomes NULL. */
void stream_free(struct stream **s);

/* Gives the descriptor back and ends the stream; what was read ahead is
 * lost unless taken before with stream_window. */
int stream_release(struct stream **s);

/* The descriptor under the stream, which still owns it. */
int stream_fd(const struct stream *s);

/* Puts another descriptor under the stream (after STARTTLS). The former one
 * is NOT closed, since tlsproxy only has a copy: get it with stream_fd before
 * and close it. Unread input and unsent output are dropped. */
void stream_replace_fd(struct stream *s, int fd);

/* From now on both directions are compressed (deflate.h); the input begins with
 * DATA, N and then what is in the window. Output so far is sent as it is.
 * False: this is not possible. */
bool stream_deflate(struct stream *s, const void *data, size_t n);

/* With compression: deflate_leave (deflate.h), if no input is unread; and a
 * stream that goes on with it, before its first use. */
bool stream_leave(struct stream *s, struct buf *window);
bool stream_go_on(struct stream *s, const void *window, size_t n);

/* From now on each waiting call may take MS milliseconds (default 300 s). */
void stream_set_timeout(struct stream *s, int64_t ms);

/* The same only for waiting for output; 0, the default: like all others. */
void stream_set_send_timeout(struct stream *s, int64_t ms);

/* An absolute limit on the monotonic clock in ms, 0 for none: the earlier
 * of it and the timeout counts. */
void stream_set_deadline(struct stream *s, int64_t at_ms);

/* From now on a wait for input ends with ERR_STOPPING when FD is readable and
 * the stream is not, or has given only part of what is wanted (the window is
 * not empty); -1: no longer. It may take a second (stream_set_look), so that
 * it costs nothing while the peer answers quickly. */
void stream_set_stop(struct stream *s, int fd);

/* From now on it also ends a wait for output. */
void stream_stop_sends(struct stream *s);

/* The silence in ms after which the stop is watched; by default a second. */
void stream_set_look(struct stream *s, int64_t ms);

/* Puts N bytes before the input to come: what another process has read from
 * the connection. Only before the first read. */
void stream_prepend(struct stream *s, const void *data, size_t n);

/* What is buffered and not consumed: valid until the next call that reads. */
const char *stream_window(struct stream *s, size_t *n);

/* Waits until there is more input than now. ERR_OK, ERR_EOF, ERR_TIMEOUT,
 * ERR_STOPPING, ERR_IO, or ERR_TOO_LONG if the window is already IN_MAX bytes.
 * Flushes output first: the peer may be waiting for it. Timeouts may be an
 * eighth longer. */
int stream_fill(struct stream *s);

/* Takes N bytes off the front of the window. */
void stream_consume(struct stream *s, size_t n);

/* The next line up to and with its LF: *LINE valid until the next call that
 * reads, *N its length; it is consumed. ERR_TOO_LONG if no LF is within MAX
 * bytes (nothing is consumed). */
int stream_line(struct stream *s, size_t max, char **line, size_t *n);

/* Output. An error is kept and given by the next stream_flush, and by every
 * reading call after it. */
void stream_put(struct stream *s, const void *data, size_t n);
void stream_puts(struct stream *s, const char *text);
void stream_vprintf(struct stream *s, const char *fmt, va_list ap);
void stream_printf(struct stream *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Sends what is held back: ERR_OK, ERR_TIMEOUT, or ERR_IO if the peer is gone,
 * now or at an earlier output. */
int stream_flush(struct stream *s) MUST_CHECK;

#endif
