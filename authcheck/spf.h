/*
 * SPF (RFC 7208). Our own code handles the record's grammar, the macros, the
 * order of terms, include and redirect, and all limits; libspf2 is asked one
 * mechanism at a time whether it matches, and gets its DNS data from us.
 */
#ifndef AUTHCHECK_SPF_H
#define AUTHCHECK_SPF_H

#include "authcheck/lookup.h"

enum spf {
	SPF_NONE,
	SPF_NEUTRAL,
	SPF_PASS,
	SPF_FAIL,
	SPF_SOFTFAIL,
	SPF_TEMPERROR,
	SPF_PERMERROR
};

struct spf_question {
	const char *client; /* IP address */
	const char *helo;
	const char *sender; /* MAIL FROM; "" asks for postmaster@helo */
};

/* The word of RFC 8601 section 2.7.2 for S. */
const char *spf_word(enum spf s);

/* Plans the lookup of the first record that Q needs (lookup_plan), with MS. */
void spf_plan(struct lookup *l, const struct spf_question *q, int64_t ms);

/* Evaluates check_host(). DOMAIN, 256 bytes, gets the domain that was
 * checked, "" if there is none. *WHY, a constant text or one in the arena,
 * says what was wrong for temperror and permerror, else "". */
enum spf spf_check(struct lookup *l, const struct spf_question *q, char *domain,
		   const char **why);

#endif
