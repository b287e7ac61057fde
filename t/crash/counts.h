/* What replay counts and reports: states tried, and failures by class. */
#ifndef T_CRASH_COUNTS_H
#define T_CRASH_COUNTS_H

#include <stdint.h>

#include "t/crash/apart.h"
#include "t/crash/state.h"

#define CLASSES 12

struct counts {
	uint64_t tried[STATE_KINDS], failed[STATE_KINDS];
	uint64_t interrupted; /* recoveries that a second cut ended */
	uint64_t moments;
	uint64_t sequences, idle; /* tried; those whose end does nothing */
	uint64_t said[SAIDS];
	uint64_t twice; /* states in which somebody has a message twice */
	struct {
		char what[24]; /* why, up to the colon */
		uint64_t n;
	} failure[CLASSES];
};

/* Adds N failures whose class is WHY up to the colon: how many of that class
 * there were before. */
uint64_t counts_failure(struct counts *c, const char *why, uint64_t n);

void counts_add(struct counts *to, const struct counts *from);

/* How many states failed. */
uint64_t counts_failed(const struct counts *c);

/* Prints the report; gives the number of failures. */
uint64_t counts_print(const struct counts *c);

#endif
