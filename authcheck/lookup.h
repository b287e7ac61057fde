/*
 * DNS questions of one request: an arena for the answers, and the moment
 * when the request must be answered, which bounds all of them together.
 */
#ifndef AUTHCHECK_LOOKUP_H
#define AUTHCHECK_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "client/dns.h"

struct lookup {
	struct arena *arena;
	int64_t until_ms; /* monotonic */
};

/* Asks for NAME, lower-cased, final dot cut off. A name that cannot be in
 * the DNS, or holds what our resolver's text form of names would take for
 * syntax, does not exist: DNS_NO_NAME without a question. */
struct dns_answer *lookup_dns(const struct lookup *l, const char *name,
			      const char *type);

/* May NAME stand in the DNS: labels of 1 to 63 bytes, 253 in all? */
bool lookup_good_name(const char *name);

#endif
