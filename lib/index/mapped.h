/*
 * A file mapped privately, whose bytes stay what they are whatever others do
 * to it: whoever opens it for writing, or cuts it, waits until the mappings
 * have become a copy; with O_NONBLOCK it fails once with EAGAIN. (A lease,
 * fcntl(2): the kernel sends a signal.)
 */
#ifndef INDEX_MAPPED_H
#define INDEX_MAPPED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mapped;

/* Watches over FD, which stays the caller's. NULL if that is not to be had,
 * because somebody has it open for writing, or the file system or another
 * owner do not allow it: read it then. */
struct mapped *mapped_begin(int fd);

/* Maps N bytes from AT, a multiple of a page, at the address WHERE, or
 * anywhere if it is NULL. NULL on failure, also if the file was opened for
 * writing since mapped_begin. Twice at most. */
char *mapped_part(struct mapped *m, void *where, size_t n, int64_t at);

/* The caller unmaps the part at P. */
void mapped_drop(struct mapped *m, const void *p);

/* No more watching; *M may be NULL. What is mapped stays. */
void mapped_end(struct mapped **m);

#endif
