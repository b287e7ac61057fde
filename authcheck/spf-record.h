/*
 * Checks the text of an SPF record against the grammar of RFC 7208 section 12,
 * completely and strictly, before any of it reaches libspf2, which accepts
 * much that is invalid.
 */
#ifndef AUTHCHECK_SPF_RECORD_H
#define AUTHCHECK_SPF_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

enum spf_mechanism {
	SPF_ALL,
	SPF_INCLUDE,
	SPF_A,
	SPF_MX,
	SPF_PTR,
	SPF_IP4,
	SPF_IP6,
	SPF_EXISTS
};

struct spf_term {
	enum spf_mechanism mechanism;
	char qualifier;	    /* one of + - ~ ? */
	const char *domain; /* domain-spec or network; NULL: none given */
	int cidr4;	    /* prefix lengths; -1: none given */
	int cidr6;
};

struct spf_record {
	struct spf_term *term;
	size_t n;
	const char *redirect; /* domain-spec, or NULL */
};

/* Is TEXT an SPF record at all (RFC 7208 section 4.5)? */
bool spf_record_is(const char *text);

/* Parses TEXT, for which spf_record_is is true; memory from A. False if any
 * term violates the grammar: permerror (section 4.6). */
bool spf_record_parse(struct arena *a, const char *text, struct spf_record *r);

#endif
