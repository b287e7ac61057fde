/*
 * Memory that is freed together: one arena per connection, per command or per
 * message. Nothing in it is freed alone. Name it after its owner. There is no
 * error to check: without memory the process ends (base/mem.h).
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena;

struct arena *arena_new(void);

/* Frees the arena and everything taken from it; *A becomes NULL. */
void arena_free(struct arena **a);

/* Frees everything taken from it, but keeps one block for the next use. */
void arena_reset(struct arena *a);

/* SIZE zeroed bytes, aligned for any type. */
void *arena_alloc(struct arena *a, size_t size);

/* Copies, and printed text, ended by a NUL. */
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
