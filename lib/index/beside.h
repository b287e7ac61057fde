/*
 * Files beside a folder's journal that save time and nothing else: signatures,
 * and texts of attachments. Who adds to one holds a lock on the file itself, so
 * there is one writer at a time. Nothing is synced: what a power cut leaves fails
 * its checksum, and what comes after it is made again. A new file takes the place
 * of one only when it is written completely.
 */
#ifndef INDEX_BESIDE_H
#define INDEX_BESIDE_H

#include "index/index.h"
#include "index/signature.h"

enum beside { BESIDE_SIGNATURES, BESIDE_TEXTS };

/* Opens WHICH for reading; -1: it is not there. */
int beside_open(const struct index *x, enum beside which);

/* Opens, or makes, WHICH to write to it, alone, until *FD is closed. ERR_BUSY:
 * another session does. */
int beside_take(const struct index *x, enum beside which, int *fd) MUST_CHECK;

/* Closes *FD, which may be -1, and sets it to that. */
void beside_close(int *fd);

/* Which file is FD, and where is its end? False: it cannot be looked at, then
 * zeros. */
struct beside_state {
	ino_t ino;
	off_t end;
};
bool beside_look(int fd, struct beside_state *s);

/* Replaces WHICH, open as FD, by what COPY writes to another. */
typedef int beside_copy(void *context, int from, int to);
int beside_replace(const struct index *x, enum beside which, int fd,
		   beside_copy *copy, void *context) MUST_CHECK;

/* Appends OUT, and forgets it, to FD, whose end is *END. On failure nothing is
 * added. */
int beside_append(int fd, off_t *end, struct buf *out) MUST_CHECK;

/* Which message E is, for what is kept of it. False: the snapshot is wrong. */
bool beside_describe(const struct index *x, const struct entry *e,
		     struct signature_of *of);

/* Is it one of the first N messages, and which? *NEXT is its probable index, and
 * then that of the next. */
bool beside_find(const struct index *x, uint32_t n,
		 const struct signature_of *of, uint32_t *next,
		 uint32_t *index);

#endif
