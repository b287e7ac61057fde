/*
 * The file of records: reading forward, finding the last record from the
 * end, appending. Nothing read from it is trusted.
 */
#ifndef INDEX_JOURNAL_H
#define INDEX_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "index/disk.h"

/* Reads and checks the head. ERR_CORRUPT if it is not valid. */
int journal_head_read(int fd, struct journal_head *h);

/* Does the file still begin with H, and does a record end at END? If not,
 * another program wrote to it: ERR_CORRUPT. Reads forty bytes; the rest may be
 * damaged. */
int journal_holds(int fd, const struct journal_head *h, off_t end) MUST_CHECK;

/* A reader that goes forward from AT; free with journal_walk_end. */
struct journal_walk {
	int fd;
	int code; /* of a read that failed */
	off_t at;   /* of the next record */
	char *data; /* a window of the file */
	size_t cap;
	size_t have; /* bytes in it */
	size_t used; /* bytes of records given out */
	struct totals last;
	bool any;
};
void journal_walk(struct journal_walk *w, int fd, off_t at);

/* The next valid record, until the next call; NULL if there is none, or it cannot
 * be read. */
const struct record *journal_next(struct journal_walk *w);

/* Were there no more valid records than the reader has given out? Otherwise why
 * the rest could not be read: then nothing may be concluded from what did not
 * come. ERR_OK also if the caller did not want more. */
int journal_walk_end(struct journal_walk *w) MUST_CHECK;

/* A reader that goes backwards from END; free with journal_back_end. */
struct journal_back {
	int fd;
	int code;     /* of a read that failed */
	struct buf b; /* a window of the file */
	off_t start;  /* of it, in the file */
	off_t at;     /* where the last record given out begins */
	bool quick;   /* no checksums: for a search among many */
};
void journal_back(struct journal_back *w, int fd, off_t end);

/* The record before, if it is right, valid until the next call; else NULL. */
const struct record *journal_back_next(struct journal_back *w);

/* As journal_walk_end. */
int journal_back_end(struct journal_back *w) MUST_CHECK;

/* Reads the last record of a file of SIZE bytes into B. ERR_CORRUPT: the tail
 * is not a valid record. */
int journal_last(int fd, off_t size, struct buf *b);

/* Does any valid record begin between AT and SIZE? With SYNCED only those
 * count that say that all before them was on stable storage. */
int journal_valid_after(int fd, off_t at, off_t size, bool synced,
			bool *valid) MUST_CHECK;

/* Marks the record at RECORD: its messages were synced, or the journal was;
 * and asks for the first mark. */
int journal_make_sure(int fd, off_t record) MUST_CHECK;
int journal_make_synced(int fd, off_t record) MUST_CHECK;
bool journal_is_sure(int fd, off_t record);

/* The next item of a RECORD_ADD's payload of *N bytes at *P, which move on;
 * its name, before the padding, is at the old *P + sizeof(*a). */
bool record_add_next(const char **p, size_t *n, struct record_add *a);

/* The latest time that the file of A, which R adds, can have from our writes,
 * microseconds: they end before the record, but an APPEND may date it later. */
int64_t record_last_write(const struct record *r, const struct record_add *a);

/* Item I of R, if it records expunges and has one: the UIDs and the time. */
bool record_expunged(const struct record *r, uint32_t i,
		     struct record_past *item);

/* Bytes of the payload of R, and where it begins. */
const void *record_payload(const struct record *r, size_t *n);

/* Building: begins a record at the end of B, whose length must be a multiple
 * of 8; the caller then puts its payload, and ends it with T. */
void record_begin(struct buf *b, enum record_type type, uint32_t count);
void record_end(struct buf *b, size_t at, const struct totals *t);

/* Appends zeros up to a multiple of 8. */
void record_pad(struct buf *b);

#endif
