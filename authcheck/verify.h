/* All checks of one message from outside. */
#ifndef AUTHCHECK_VERIFY_H
#define AUTHCHECK_VERIFY_H

#include "authcheck/dmarc.h"
#include "authcheck/lookup.h"
#include "authcheck/message.h"
#include "authcheck/spf.h"
#include "base/buf.h"

struct verify_question {
	const char *authserv;
	const char *client;
	const char *helo;
	const char *sender; /* "" for the null sender */
};

struct verify_answer {
	enum spf spf;
	enum dkim_verdict dkim;
	struct dmarc_result dmarc;
	const char *from_fault; /* why From is malformed, or NULL */
};

/* Checks M, appends the Authentication-Results field to FIELDS. Strings of A
 * are in the lookup's arena. ERR_OK, or the error of reading M. */
int verify_message(struct lookup *l, const struct message *m,
		   const struct verify_question *q, struct verify_answer *a,
		   struct buf *fields);

#endif
