/*
 * DNS questions of one request: an arena for the answers, which are kept, so
 * that nothing is asked twice, and the moment when the request must be
 * answered, which bounds all of them together. What will be needed is asked
 * for ahead, side by side, each with time of its own: one server that does
 * not answer takes nothing from the others.
 */
#ifndef AUTHCHECK_LOOKUP_H
#define AUTHCHECK_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "client/dns.h"

struct lookup_kept;

struct lookup {
	struct arena *arena;
	int64_t until_ms; /* monotonic */
	/* Shall a wait that has lasted some time make room for others? NULL:
	 * never. */
	bool (*crowded)(void);
	int64_t begun_ms;
	struct lookup_kept *kept;
};

/* Begins a request that is to be answered within MS. End it with
 * arena_free. */
void lookup_begin(struct lookup *l, int64_t ms, bool (*crowded)(void));

/* Notes a question that will be asked, and how long it may wait; does nothing
 * beyond LOOKUP_AHEAD_MAX of them. */
#define LOOKUP_AHEAD_MAX 32
void lookup_plan(struct lookup *l, const char *name, const char *type,
		 int64_t ms);

/* Asks what was noted, all at once, the time of the slowest. */
void lookup_ahead(struct lookup *l);

/* Asks for NAME, lower-cased, final dot cut off. A name that cannot be in
 * the DNS, or holds what our resolver's text form of names would take for
 * syntax, does not exist: DNS_NO_NAME without a question. */
const struct dns_answer *lookup_dns(struct lookup *l, const char *name,
				    const char *type);

/* May NAME stand in the DNS: labels of 1 to 63 bytes, 253 in all? */
bool lookup_good_name(const char *name);

#endif
