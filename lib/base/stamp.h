/*
 * Has a file that we hold in memory changed since it was read?
 *
 * A file that is replaced by renaming, or grows, is new at once. One that is
 * rewritten in place is cut first, and then is half of itself for a while; who
 * reads it then takes the missing lines for users that do not exist. So one
 * that is shorter than it was counts as busy until nobody has written to it
 * for STAMP_QUIET_S.
 */
#ifndef BASE_STAMP_H
#define BASE_STAMP_H

#include <stdbool.h>
#include <sys/stat.h>

#define STAMP_QUIET_S 1

/* Of the file that was read last, or tried; zeroed: of none. */
struct stamp {
	struct stat st;
	bool taken;
};

enum stamp_state {
	STAMP_SAME, /* the same as at the last look */
	STAMP_NEW,  /* another, or changed: read it. The stamp is its own now,
		     * so that a change during the reading is seen next time */
	STAMP_BUSY, /* it is being written: what was read before still holds */
	STAMP_LOST  /* it cannot be looked at: errno */
};

enum stamp_state stamp_look(struct stamp *s, const char *path);

#endif
