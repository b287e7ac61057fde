/*
 * DKIM (RFC 6376, RFC 8301, RFC 8463) with libopendkim, which computes hashes
 * and signatures. We decide what counts as a signature and as a key: the
 * library accepts some that must not.
 */
#ifndef AUTHCHECK_DKIM_H
#define AUTHCHECK_DKIM_H

#include <stdbool.h>
#include <stddef.h>

#include "authcheck/keys.h"
#include "authcheck/lookup.h"
#include "authcheck/message.h"
#include "base/buf.h"
#include "base/err.h"

#define DKIM_SIGNATURES_MAX 10 /* further ones are ignored */

/* In the order of RFC 8601 section 2.7.1; see dkim_word. */
enum dkim_verdict {
	DKIM_NONE,
	DKIM_PASS,
	DKIM_FAIL,
	DKIM_POLICY, /* good, but not acceptable to us */
	DKIM_NEUTRAL,
	DKIM_TEMPERROR,
	DKIM_PERMERROR
};

/* One signature and its result. The strings come from the signer, and are only
 * known to be visible ASCII. */
struct dkim_signature {
	enum dkim_verdict result;
	const char *why;       /* "" for pass */
	const char *domain;    /* d=, or "" */
	const char *selector;  /* s=, or "" */
	const char *algorithm; /* a=, or "" */
	const char *b;	       /* b= without white space, or "" */
};

struct dkim_result {
	struct dkim_signature signature[DKIM_SIGNATURES_MAX];
	size_t n;
	enum dkim_verdict
		summary; /* pass if one passed, else that of the first */
};

const char *dkim_word(enum dkim_verdict d);

/* Prepares the library: once per process, before any confinement. False if it
 * is not usable. */
bool dkim_prepare(void);

void dkim_judge(struct dkim_signature *s, enum dkim_verdict result,
		const char *why);

/* Reads the signatures of M into R, from A: those that may count have the
 * result DKIM_NONE. */
void dkim_read_signatures(struct arena *a, const struct message *m,
			  struct dkim_result *r);

/* Plans the lookups of their keys (lookup_plan), with MS for each. */
void dkim_plan(struct lookup *l, const struct dkim_result *r, int64_t ms);

/* Checks the signatures of M that are in R. Strings come from the lookup's
 * arena. ERR_OK, or the error of reading M. */
MUST_CHECK int dkim_verify_message(struct lookup *l, const struct message *m,
				   struct dkim_result *r);

/* Signs M with each of the N keys; appends DKIM-Signature fields, CRLF line
 * ends, to FIELDS. ERR_OK, the error of reading M, or ERR_UNSUPPORTED if the
 * library refuses. */
MUST_CHECK int dkim_sign_message(const struct message *m,
				 const struct dkim_key *const *key, size_t n,
				 struct buf *fields);

#endif
