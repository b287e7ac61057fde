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

struct deflate;

/* Begins, with DATA, N as compressed input that has already come. NULL: the
 * library is another one than we were built with. */
struct deflate *deflate_new(const void *data, size_t n);
void deflate_free(struct deflate **d);

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
