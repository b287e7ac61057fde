/*
 * The one growable byte buffer of the suite.
 *
 * Invariants: data[len] is always NUL (data is never NULL after buf_init),
 * so that text in it can be used as a C string where it holds no NUL; len
 * never exceeds max. A put that would exceed max changes nothing and sets
 * `over`, which stays set until buf_reset: so a chain of puts needs one check
 * at its end, and what is too long becomes an error and is never truncated.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	char *data;
	size_t len;
	size_t cap;
	size_t max;
	bool over;
};

/* An empty buffer that may grow to MAX bytes. buf_free ends it. */
void buf_init(struct buf *b, size_t max);
void buf_free(struct buf *b);

/* Forgets the content, keeps the memory, clears `over`. */
void buf_reset(struct buf *b);

/* Appends; a put over the limit sets b->over and changes nothing. */
void buf_put(struct buf *b, const void *data, size_t n);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
/* N in decimal: like buf_printf, at a tenth of its cost. */
void buf_put_uint(struct buf *b, uint64_t n);
void buf_printf(struct buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

/* Makes room for N more bytes and gives the address where they go, or NULL
 * (and `over`) if that exceeds max. Then call buf_added(b, n) for what was
 * written. */
char *buf_room(struct buf *b, size_t n);
void buf_added(struct buf *b, size_t n);

/* Removes the first N bytes (all, if there are fewer). */
void buf_consume(struct buf *b, size_t n);

/* Cuts the content to its first N bytes, if it is longer. */
void buf_truncate(struct buf *b, size_t n);

/* The content as a malloc()ed string; the buffer is empty afterwards. */
char *buf_steal(struct buf *b);

#endif
