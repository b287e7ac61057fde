/*
 * A privately mapped file whose bytes stay the same whatever others do to it:
 * a program that opens it for writing, or truncates it, waits until the
 * mappings have become a copy; with O_NONBLOCK it fails once with EAGAIN.
 * (This is a lease, fcntl(2): the kernel sends a signal.)
 */
#ifndef INDEX_MAPPED_H
#define INDEX_MAPPED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mapped;

/* Watches FD, which stays the caller's. NULL if that is impossible because
 * somebody has it open for writing, or the file system or another owner does
 * not allow it: then read it. */
struct mapped *mapped_begin(int fd);

/* Maps N bytes from AT, a multiple of a page, at the address WHERE, or
 * anywhere if it is NULL. NULL on failure, also if the file was opened for
 * writing since mapped_begin. Twice at most. */
char *mapped_part(struct mapped *m, void *where, size_t n, int64_t at);

/* The caller unmaps the part at P. */
void mapped_drop(struct mapped *m, const void *p);

/* Stops watching; *M may be NULL. Mappings stay. */
void mapped_end(struct mapped **m);

#endif
