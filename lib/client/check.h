/*
 * Questions to authcheck: SPF, DKIM and DMARC of an incoming message, a DKIM
 * signature for an outgoing one. The message is given as the file descriptor
 * of its content. If a process of authcheck dies of it, the question is asked
 * once more; if there is still no answer, the result is ERR_TEMP, and the
 * parameter `authcheck_default_action` says what becomes of the message.
 */
#ifndef CLIENT_CHECK_H
#define CLIENT_CHECK_H

#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

struct check_request {
	int fd;			/* the message, CRLF lines */
	off_t offset;		/* where its header begins */
	off_t length;
	const char *client;	/* IP address */
	const char *client_name;	/* verified name or NULL */
	const char *helo;
	const char *sender;	/* MAIL FROM, "" for the null sender */
};

enum check_dmarc {
	CHECK_DMARC_NONE,	/* no record, or policy none */
	CHECK_DMARC_PASS,
	CHECK_DMARC_QUARANTINE,	/* failed, domain asks for quarantine */
	CHECK_DMARC_REJECT,	/* failed, domain asks for reject */
	CHECK_DMARC_TEMP	/* whether it asks for either is not known */
};

struct check_verdict {
	enum check_dmarc dmarc;
	char from_domain[256];	/* domain of From, for the reply text */
	char from_fault[128];	/* why From cannot be judged, or "" */
	char spf[16];		/* "pass", "fail" … for the log */
	char dkim[16];
	char policy[16];
};

/* Verifies; appends one complete Authentication-Results field, CRLF line
 * ends, to FIELDS. ERR_OK, or ERR_TEMP with a cause in err_why, as below. */
int check_verify(const struct check_request *r, struct check_verdict *v,
		 struct buf *fields, int64_t ms);

/* Signs for DOMAIN (of the header From or the login) with the configured
 * keys; appends complete DKIM-Signature fields to FIELDS, none if the domain
 * has no key. ERR_OK or ERR_TEMP. */
int check_sign(int fd, off_t offset, off_t length, const char *domain,
	       struct buf *fields, int64_t ms);

#endif
