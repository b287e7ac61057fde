/* DMARC policy records (RFC 7489 section 6.3), parsed by us. */
#ifndef AUTHCHECK_DMARC_RECORD_H
#define AUTHCHECK_DMARC_RECORD_H

#include <stdbool.h>

#include "base/arena.h"

enum dmarc_policy { DMARC_P_NONE, DMARC_P_QUARANTINE, DMARC_P_REJECT };

struct dmarc_record {
	enum dmarc_policy p;
	enum dmarc_policy sp; /* for sub-domains */
	bool strict_dkim;     /* adkim=s */
	bool strict_spf;      /* aspf=s */
	int pct;
};

/* Does TEXT begin like a DMARC record? Otherwise it is not one at all. */
bool dmarc_record_is(const char *text);

/* Parses TEXT, for which dmarc_record_is is true. A record without a valid
 * policy but with an address for reports only asks for reports: p=none
 * (section 6.6.3). False: there is nothing in it to act upon. */
bool dmarc_record_parse(struct arena *a, const char *text,
			struct dmarc_record *r);

/* Does libopendmarc read the same p, sp, adkim, aspf, pct in TEXT, a record
 * of DOMAIN, as we do in R? It differs in known ways, so this is for the
 * debug log, not for decisions. */
bool dmarc_record_agrees(const char *text, const char *domain,
			 const struct dmarc_record *r);

#endif
