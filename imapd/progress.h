/*
 * Signs of life of a command that takes long (RFC 9585): clients show them, and
 * do not take the server for dead.
 */
#ifndef IMAPD_PROGRESS_H
#define IMAPD_PROGRESS_H

#include <stdint.h>

#include "imapd/conn.h"

#define PROGRESS_MS 10000 /* between two of them */

struct progress {
	struct conn *c;
	int64_t next_ms;
};

/* For the current command of C, which begins at NOW on clock_ms(). */
void progress_begin(struct progress *p, struct conn *c, int64_t now);

/* DONE of GOAL steps are done; it is sent at once, if it is time. */
void progress_tell(struct progress *p, uint32_t done, uint32_t goal,
		   int64_t now);

#endif
