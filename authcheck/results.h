/*
 * The Authentication-Results field (RFC 8601). Values come from strangers:
 * each is a token, or a quoted string of visible ASCII, and nothing in it can
 * end the field, begin another result or open a comment.
 */
#ifndef AUTHCHECK_RESULTS_H
#define AUTHCHECK_RESULTS_H

#include "authcheck/dkim.h"
#include "authcheck/dmarc.h"
#include "authcheck/spf.h"
#include "base/buf.h"

struct results {
	enum spf spf;
	const char *spf_why;
	const char *sender; /* MAIL FROM, "" for the null sender */
	const char *helo;
	const struct dkim_result *dkim;
	const struct dmarc_result *dmarc;
};

/* Appends the field of the server AUTHSERV, CRLF line ends. */
void results_write(struct buf *out, const char *authserv,
		   const struct results *r);

#endif
