/*
 * The states that a power cut at one moment could leave.
 *
 * What is pending falls into units that each have several versions, the
 * oldest first: a name (old, new), the size of a file, the sectors of a file
 * whose newest change is the same one. A state is a choice of a version for
 * each unit; a torn one chooses for each sector of a unit by itself. If there
 * are few combinations all are made; else those most likely to matter (all
 * kept, all lost, one of them alone kept or lost, torn, short), and the rest
 * are samples drawn with a seed.
 */
#ifndef T_CRASH_STATE_H
#define T_CRASH_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "t/crash/disk.h"

enum state_kind {
	STATE_KEPT,	   /* nothing is lost */
	STATE_LOST,	   /* all that was not synced is */
	STATE_MOMENT,	   /* all after an earlier moment is */
	STATE_ONE_LOST,	   /* one unit is */
	STATE_ONE_KEPT,	   /* all but one are */
	STATE_TORN,	   /* sectors of one unit */
	STATE_SHORT,	   /* a size between two others */
	STATE_COMBINATION, /* one of all combinations */
	STATE_SAMPLE,	   /* a combination that was drawn */
	STATE_AGAIN,	   /* any of these, of recovery from one of them */
	STATE_KINDS
};

extern const char *const state_kind_name[STATE_KINDS];

enum unit_type { UNIT_NAME, UNIT_SIZE, UNIT_CONTENT };

struct unit {
	enum unit_type type;
	struct object *object; /* of size and content */
	size_t which;	       /* the pending name, or the newest change */
	uint64_t when;	       /* of its newest version */
	int64_t *version;      /* sizes; or how many changes are applied */
	size_t nversions;
};

struct units {
	struct unit *unit; /* newest first */
	size_t n;
};

struct state {
	enum state_kind kind;
	size_t *version; /* of each unit */
	size_t n;
	size_t torn; /* unit, or SIZE_MAX */
	int64_t cut; /* size of unit `short_unit`, or -1 */
	size_t short_unit;
	uint64_t seed; /* for what is torn */
};

void units_find(struct units *u, const struct disk *d);
void units_free(struct units *u);

/* Calls EACH for at most MOST states, drawn with SEED; none comes twice.
 * False, and at once, if EACH gives false. */
bool states_each(const struct units *u, size_t most, uint64_t seed,
		 bool (*each)(void *context, const struct state *s),
		 void *context);

/* Describes S in one line, for a report: what is not as the programs left
 * it. OUT is cut. */
void state_describe(const struct units *u, const struct state *s, char *out,
		    size_t size);

/* Makes the files of state S of D, whose units are U, below the folder TOP,
 * which is empty. */
void state_build(const struct disk *d, const struct units *u,
		 const struct state *s, const char *top);

/* A number from a seed and what it is for; the same each time. */
uint64_t draw(uint64_t seed, uint64_t n);

#endif
