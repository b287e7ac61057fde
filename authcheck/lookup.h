/*
 * DNS questions of one request: an arena for the answers, which are kept so
 * that nothing is asked twice, and the deadline of the request, which bounds
 * all of them together. Foreseeable questions are asked ahead, at the same
 * time, each with its own time limit: a server that does not answer takes no
 * time from the others.
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
	/* Must a wait that has lasted some time make room for others? NULL:
	 * never. */
	bool (*crowded)(void);
	int64_t begun_ms;
	struct lookup_kept *kept;
};

/* Begins a request that is to be answered within MS. End it with
 * arena_free. */
void lookup_begin(struct lookup *l, int64_t ms, bool (*crowded)(void));

/* Plans a question, and how long it may wait; does nothing beyond
 * LOOKUP_AHEAD_MAX of them. */
#define LOOKUP_AHEAD_MAX 32
void lookup_plan(struct lookup *l, const char *name, const char *type,
		 int64_t ms);

/* Asks the planned questions, all at once. */
void lookup_ahead(struct lookup *l);

/* Asks for NAME, in lower case and without the final dot. A name that cannot
 * be in the DNS, or contains what the resolver's text form takes for syntax,
 * does not exist: DNS_NO_NAME without a question. */
const struct dns_answer *lookup_dns(struct lookup *l, const char *name,
				    const char *type);

/* Can NAME be in the DNS: labels of 1 to 63 bytes, 253 in all? */
bool lookup_good_name(const char *name);

#endif
