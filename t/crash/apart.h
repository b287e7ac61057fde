/* Recovery in processes of their own: what they find may end them. */
#ifndef T_CRASH_APART_H
#define T_CRASH_APART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "t/crash/fact.h"

#define WHY_SIZE 512

/* What recovery writes into the log of what it found. */
enum said {
	SAID_TORN,	 /* a message that did not get into the queue whole */
	SAID_UNFINISHED, /* a record of a journal that was being written */
	SAID_REMOVED,	 /* a file that a delivery did not finish */
	SAIDS
};

extern const char *const said_text[SAIDS];

struct verdict {
	bool good;
	bool twice; /* somebody has a message twice */
	char why[WHY_SIZE];
	uint64_t said[SAIDS];
};

/* Recovers from the files below TOP, which changes them, and checks. */
void apart_check(struct facts *f, const char *top, struct verdict *v);

/* Recovers from the files below TOP in PROGRAM (this one), begun anew with
 * record.so, or does what WORDS say (short.h), if they are not NULL. The file
 * RECORD gets what was there before and what was done. Its exit code. */
int apart_record(const char *program, const char *words, const char *top,
		 const char *record);

/* What PROGRAM begun by apart_record does. */
void apart_recover(const char *top);

void apart_remove(const char *top);

#endif
