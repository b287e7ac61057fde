/*
 * DMARC (RFC 7489): is the domain of From the one that SPF or DKIM have
 * proved, and if not, what does it ask for? This is our own code, with libpsl
 * for organizational domains.
 */
#ifndef AUTHCHECK_DMARC_H
#define AUTHCHECK_DMARC_H

#include <stdbool.h>

#include "authcheck/dkim.h"
#include "authcheck/dmarc-record.h"
#include "authcheck/from.h"
#include "authcheck/lookup.h"
#include "authcheck/spf.h"
#include "base/err.h"

/* The words of RFC 8601 for dmarc=; see dmarc_word. */
enum dmarc {
	DMARC_NONE, /* no record */
	DMARC_PASS,
	DMARC_FAIL,
	DMARC_TEMPERROR,
	DMARC_PERMERROR /* no proper From */
};

struct dmarc_result {
	enum dmarc result;
	enum dmarc_policy published;   /* what the domain asks for … */
	enum dmarc_policy disposition; /* … and what applies here: none for
					* pass, milder by pct= */
	bool pending;		       /* it may ask for more: unknown */
	const char *domain;	       /* of From, or "" */
};

struct dmarc_proofs {
	enum spf spf;
	const char *spf_domain; /* which SPF checked, lower case, or "" */
	const struct dkim_result *dkim;
};

const char *dmarc_word(enum dmarc d);

/* Loads the public suffix list PATH (.dat or .dafsa), "" the one built into
 * libpsl: once per process, before confinement. ERR_SYNTAX: it is no list;
 * ERR_TOO_LONG, ERR_NOT_FOUND … With CROSS_CHECK libopendmarc reads each record
 * too, for the debug log. */
int dmarc_prepare(const char *path, bool cross_check) MUST_CHECK;

/* Do A and B (lower case) align (section 3.1)? Strict: are they equal? */
bool dmarc_aligned(const char *a, const char *b, bool strict);

/* Plans the lookups of the records for FROM (lookup_plan), with MS for each. */
void dmarc_plan(struct lookup *l, const struct from *from, int64_t ms);

/* The verdict for FROM. Of several domains the strictest counts, and the
 * result is permerror, as it is if From has a fault. */
void dmarc_check(struct lookup *l, const struct from *from,
		 const struct dmarc_proofs *p, struct dmarc_result *r);

#endif
