/*
 * The file of records: reading forward, finding the last record from the
 * end, appending. Nothing read from it is trusted.
 */
#ifndef MAILBOX_JOURNAL_H
#define MAILBOX_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "mailbox/disk.h"

/* Reads and checks the head. ERR_CORRUPT if it is none. */
int journal_head_read(int fd, struct journal_head *h);

/* A reader that goes forward from AT; free with journal_walk_end. */
struct journal_walk {
	int fd;
	off_t at;   /* of the record that comes next */
	char *data; /* a window of the file */
	size_t cap;
	size_t have; /* bytes in it */
	size_t used; /* bytes of records given out */
	struct totals last;
	bool any;
};
void journal_walk(struct journal_walk *w, int fd, off_t at);

/* The next record that checks, valid until the next call; NULL if there is
 * none (*CODE: ERR_OK at the end of what is valid, or ERR_IO). */
const struct record *journal_next(struct journal_walk *w, int *code);
void journal_walk_end(struct journal_walk *w);

/* The last record of a file of SIZE bytes into B. ERR_CORRUPT: the tail does
 * not check. */
int journal_last(int fd, off_t size, struct buf *b);

/* Does any record that checks begin between AT and SIZE? Then what is before
 * it is damage, not a torn tail. */
bool journal_valid_after(int fd, off_t at, off_t size);

/* Bytes of the payload of R, and where it begins. */
const void *record_payload(const struct record *r, size_t *n);

/* Building: begins a record in B (which gets it appended), puts its payload,
 * ends it with T. B's length must be a multiple of 8. */
void record_begin(struct buf *b, enum record_type type, uint32_t count);
void record_end(struct buf *b, size_t at, const struct totals *t);

/* Appends zeros up to a multiple of 8. */
void record_pad(struct buf *b);

#endif
