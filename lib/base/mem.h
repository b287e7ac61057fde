/*
 * Memory from the heap. There is no failure to check: a process that gets no
 * memory logs one line on standard error and ends with EX_OSERR, and master
 * starts it again. (The queue manager bounds what it keeps instead.)
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* SIZE zeroed bytes; free() them. */
void *mem_alloc(size_t size);

/* N zeroed elements of SIZE bytes, the product checked; free() them. */
void *mem_array(size_t n, size_t size);

/* P grown or shrunk to N elements of SIZE bytes, new bytes undefined. */
void *mem_resize(void *p, size_t n, size_t size);

/* Copies of a string, of its first N bytes, of a formatted text; free(). */
char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t n);
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Joins the free pieces of the heap and gives free pages back. Call it before
 * a fork: a child that did it would copy a page for each piece. */
void mem_tidy(void);

/* Overwrites N bytes in a way the compiler cannot omit: for secrets. */
void mem_wipe(void *p, size_t n);

/* Compares N bytes in a time that does not depend on their values. */
int mem_differ(const void *a, const void *b, size_t n);

#endif
