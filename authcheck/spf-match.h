/*
 * libspf2 in a narrow role: it sees one mechanism at a time, which has passed
 * our grammar, and asks us for its DNS data.
 */
#ifndef AUTHCHECK_SPF_MATCH_H
#define AUTHCHECK_SPF_MATCH_H

#include "authcheck/lookup.h"
#include "authcheck/spf-record.h"
#include "authcheck/spf.h"

enum spf_matched {
	SPF_MATCHED,
	SPF_NOT_MATCHED,
	SPF_MATCH_TEMP, /* DNS failed for now */
	SPF_MATCH_PERM	/* a limit, or the library gave up */
};

struct spf_matcher;

/* A matcher for Q, or NULL if Q->client is not an IP address (or memory is
 * short). HELO and sender in Q are ASCII. It lives until spf_matcher_free. */
struct spf_matcher *spf_matcher_new(struct lookup *l,
				    const struct spf_question *q);
void spf_matcher_free(struct spf_matcher **m);

/* Does the mechanism T, any but all and include, of DOMAIN's record match?
 * *NOTHING is set if its DNS question was a void lookup (RFC 7208 section
 * 4.6.4). */
enum spf_matched spf_match(struct spf_matcher *m, const char *domain,
			   const struct spf_term *t, bool *nothing);

/* Expands the domain-spec SPEC of DOMAIN's record; from the lookup's arena. */
const char *spf_expand(struct spf_matcher *m, const char *domain,
		       const char *spec);

#endif
