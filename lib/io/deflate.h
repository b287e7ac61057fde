/*
 * DEFLATE in both directions (RFC 1951, without zlib's header), for a
 * connection whose two sides have agreed on it. It never reads or sends, and
 * needs the same memory whatever comes: what does not fit where it is to go
 * stays compressed.
 */
#ifndef IO_DEFLATE_H
#define IO_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct deflate;

/* Begins, with DATA, N as compressed input that has already come. NULL: the
 * library is another one than we were built with. */
struct deflate *deflate_new(const void *data, size_t n);
void deflate_free(struct deflate **d);

/* What another process needs to go on, between two pieces of input and after
 * all output was given: at most DEFLATE_WINDOW bytes, appended to WINDOW. What
 * is compressed from then on does not refer to what was before. False: the peer
 * is in the middle of something. */
#define DEFLATE_WINDOW 32768
bool deflate_leave(struct deflate *d, struct buf *window);

/* There: begins with that WINDOW, N. NULL: it is none. */
struct deflate *deflate_go_on(const void *window, size_t n);

/* TEXT, N (less than 64 KiB) as a piece of any stream, appended to OUT: for
 * those who have no stream. */
void deflate_put_stored(struct buf *out, const char *text, size_t n);

/* Compresses DATA, N and gives what is ready to SEND, in pieces; with ALL
 * everything since the beginning. Gives SEND's first error. */
typedef int deflate_send(void *context, const char *data, size_t n);
int deflate_put(struct deflate *d, const char *data, size_t n, bool all,
		deflate_send *send, void *context);

/* Where compressed input goes, *N bytes; and how many came. */
char *deflate_room(struct deflate *d, size_t *n);
void deflate_added(struct deflate *d, size_t n);

/* Takes at most SIZE bytes out; *N is 0 when more input must come first.
 * ERR_OK; ERR_SYNTAX: that is not DEFLATE, or it has ended. */
int deflate_take(struct deflate *d, char *to, size_t size, size_t *n);

#endif
