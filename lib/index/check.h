/*
 * What an administrator can see of an index's files: whether they are whole and
 * agree with each other, and what the journal has. The journal is read from its
 * beginning, never from the snapshot. Nothing is made or mended.
 */
#ifndef INDEX_CHECK_H
#define INDEX_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "index/index.h"

/* FILE, at AT (-1: as a whole), is not as it should be: WHAT; REPAIR is what the
 * next session does about it. All strings are valid for the call. */
typedef void check_found(void *context, const char *file, int64_t at,
			 const char *repair, const char *what);

struct check {
	struct index *x; /* initialised, its folder open without journal */
	check_found *found;
	void *context;
	int lock; /* private; -1: there is no lock file */
};

/* Locks the folder, so that no writer is in the middle of something, and reads
 * the journal into C->x, as far as it is right. A lock file that is not there is
 * not made. False in *READ: there is no journal, or none that can be read, which
 * was told. ERR_BUSY, ERR_IO. */
int check_journal(struct check *c, bool *read) MUST_CHECK;

/* Then: the snapshot, still under the lock, which ends here; the cache,
 * signatures and texts. */
void check_rest(struct check *c);

/* After check_journal: ends the lock, if it is held. */
void check_end(struct check *c);

/* C found something, told as by printf. */
void check_tell(struct check *c, const char *file, int64_t at,
		const char *repair, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* Calls LINE for each record of the journal of F, which is open without it, and
 * for each item of a record. ERR_CORRUPT: after the last one comes something
 * that is no record. */
typedef void dump_line(void *context, int64_t at, const char *text);
int dump_journal(struct folder *f, dump_line *line, void *context) MUST_CHECK;

/* Removes all files of F's index that only save time. They are made again when
 * they are needed. */
int check_forget(struct folder *f) MUST_CHECK;

#endif
