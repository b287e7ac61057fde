/*
 * Files beside a folder's messages that save time and nothing else: signatures,
 * and texts of attachments. Who adds to one holds a lock on the file itself, so
 * there is one writer at a time. Nothing is synced: what a power cut leaves fails
 * its checksum, and what comes after it is made again.
 */
#ifndef MAILBOX_BESIDE_H
#define MAILBOX_BESIDE_H

#include "mailbox/opened.h"

/* Opens the file NAME for reading; -1: it is not there. */
int beside_open(const struct mailbox *m, const char *name);

/* Opens, or makes, the file NAME to write to it, alone, until *FD is closed.
 * ERR_BUSY: another session does. */
int beside_take(const struct mailbox *m, const char *name, int *fd) MUST_CHECK;

/* Replaces the file NAME, open as FD, by what COPY writes to another. */
typedef int beside_copy(struct mailbox *m, int from, int to);
int beside_replace(struct mailbox *m, const char *name, int fd,
		   beside_copy *copy) MUST_CHECK;

/* Appends OUT, and forgets it, to FD, whose end is *END. */
int beside_append(int fd, off_t *end, struct buf *out) MUST_CHECK;

/* Which message E is, for what is kept of it. False: the snapshot is wrong. */
bool beside_describe(const struct mailbox *m, const struct entry *e,
		     struct signature_of *of);

/* Is it one of M, and which? *NEXT is its probable index, and then that of the
 * next. */
bool beside_find(const struct mailbox *m, const struct signature_of *of,
		 uint32_t *next, uint32_t *index);

#endif
