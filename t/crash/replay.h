/*
 * Walking a record: the states that a power cut could have left at each moment
 * of it are made, recovered from and checked; and of some of them recovery is
 * recorded and cut off, too.
 *
 * What cannot be done (a record with a gap, no room) ends the program with
 * exit code 2.
 */
#ifndef T_CRASH_REPLAY_H
#define T_CRASH_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "t/crash/counts.h"

#define REPLAY_LEAST 8 /* states of a moment, at the least */

struct options {
	size_t states;
	uint64_t seed;
	unsigned jobs;
	bool ordered;	     /* the disk is: disk.h */
	bool first;	     /* the first failure is enough */
	bool all;	     /* sequences.h, not a record */
	size_t sequences;    /* that many of them; 0: every one */
	const char *words;   /* or this one alone */
	const char *without; /* syncs of this kind (disk_kinds) are not made */
	const char *folder;  /* where states are made */
	const char *record;
	const char *program; /* this one */
};

/* A record in memory. */
struct story {
	const char *at;
	size_t size;
};

void story_map(struct story *s, const char *path);
void story_unmap(struct story *s);

/* Reads all of it and tries nothing: how many moments it has. A record with
 * a gap proves nothing. */
uint64_t story_moments(const struct options *o, const struct story *s);

/* Tries about MOST states of each moment, of one in EVERY moments, from
 * number AT on, below the folder TOP; adds to C. ABOUT (or NULL) is said with
 * each failure. False if there was one, and the first is enough. */
bool replay_story(const struct options *o, const struct story *s,
		  const char *top, const char *about, uint64_t at,
		  uint64_t every, size_t most, struct counts *c);

_Noreturn void replay_stop(const char *what, const char *name);

#endif
