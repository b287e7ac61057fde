/*
 * Has a file that we hold in memory changed since it was read?
 *
 * A file that is replaced by renaming, or grows, is new at once. One that is
 * rewritten in place is cut first, and then is half of itself for a while; who
 * reads it then takes the missing lines for users that do not exist. So one
 * that was seen shorter than it was counts as busy until nobody has written to
 * it for STAMP_QUIET_S.
 *
 * One that was cut to nothing is emptied, however long ago: an editor on a
 * full disk, or a script whose next command is still at work, did that. Who
 * wants it to hold nothing puts an empty file in its place by renaming.
 */
#ifndef BASE_STAMP_H
#define BASE_STAMP_H

#include <stdbool.h>
#include <sys/stat.h>

#define STAMP_QUIET_S 1
#define STAMP_YOUNG_S 300

/* Of the file that was read last, or tried; zeroed: of none. */
struct stamp {
	struct stat st;
	bool taken;
	struct timespec written; /* the file, as of the last look */
	bool cut;		 /* since then it was seen shorter, or empty */
};

enum stamp_state {
	STAMP_SAME, /* the same as at the last look */
	STAMP_NEW,  /* another, or changed: read it. The stamp is its own now,
		     * so that a change during the reading is seen next time */
	STAMP_BUSY, /* it is being written: what was read before still holds */
	STAMP_EMPTIED, /* it was cut to nothing in place: so does it here */
	STAMP_LOST     /* it cannot be looked at: errno */
};

enum stamp_state stamp_look(struct stamp *s, const char *path);

/* After the reading: is the file still the one that STAMP_NEW saw? If not,
 * what was read may be a part of it, and the former stamp is to be put back. */
bool stamp_holds(const struct stamp *s, const char *path);

/* Was the file, at the last look, written less than STAMP_YOUNG_S ago, so that
 * whoever cut it may still be at work? */
bool stamp_is_young(const struct stamp *s);

#endif
