/*
 * Has a file that we hold in memory changed since it was read?
 *
 * A file that is replaced by renaming, or grows, is new at once. One that is
 * rewritten in place is truncated first, and is incomplete for a while; a
 * program that read it then would take the missing lines for users that do not
 * exist. So a file that was seen to shrink counts as busy until nobody has
 * written to it for STAMP_QUIET_S.
 *
 * One that was truncated to nothing, or whose text ends within a line after it
 * shrank, counts as cut, however long ago: an editor on a full disk, or a script
 * whose next command is still running, may have done that. To have it empty on
 * purpose, rename an empty file into its place.
 */
#ifndef BASE_STAMP_H
#define BASE_STAMP_H

#include <stdbool.h>
#include <sys/stat.h>

#define STAMP_QUIET_S 1
#define STAMP_YOUNG_S 300

/* Of the file that was last read, or tried; zeroed: no file yet. */
struct stamp {
	struct stat st;
	bool taken;
	struct timespec written; /* the file, as of the last look */
	bool cut;		 /* since then it was seen shorter, or empty */
};

enum stamp_state {
	STAMP_SAME, /* the same as at the last look */
	STAMP_NEW,  /* another, or changed: read it. The stamp now matches it,
		     * so that a change during the reading is seen next time */
	STAMP_BUSY, /* it is being written: what was read before still holds */
	STAMP_CUT, /* it was emptied, or cut within a line, in place: the same */
	STAMP_LOST /* it cannot be looked at: errno */
};

/* LINES: the file is a text, each line of which has an end. */
enum stamp_state stamp_look(struct stamp *s, const char *path, bool lines);

/* After the reading: is the file still the one that STAMP_NEW saw? If not,
 * what was read may be incomplete, and the former stamp must be restored. */
bool stamp_holds(const struct stamp *s, const char *path);

/* Was the file, at the last look, written less than STAMP_YOUNG_S ago, so that
 * the program that truncated it may still be writing? */
bool stamp_is_young(const struct stamp *s);

#endif
