/*
 * All sequences of up to three operations on a mailbox (short.h): each is
 * recorded by itself and replayed. Most faults of file systems that were found
 * by exploring took no more (Mohan et al., "Finding Crash-Consistency Bugs
 * with Bounded Black-Box Crash Testing", OSDI 2018).
 */
#ifndef T_CRASH_SEQUENCES_H
#define T_CRASH_SEQUENCES_H

#include "t/crash/replay.h"

/* The part of WORKER, of all or of those that the seed draws, below TOP. */
void sequences_run(const struct options *o, const char *top, unsigned worker,
		   struct counts *c);

#endif
