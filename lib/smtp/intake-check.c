/* Verification of mail from outside, signatures of our users' mail. */
#include "smtp/intake-parts.h"

#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "client/check.h"
#include "log/log.h"

#define VERIFY_MS 30000
#define SIGN_MS 10000
#define UNSIGNED_MS 60000 /* a new key is noticed after that time */

/* authcheck could not answer. */
static void no_answer(struct intake *in, const char *what)
{
	log_warn("%s: authcheck does not answer: not %s", queue_id(in->queue),
		 what);
	if (in->check_must_answer)
		intake_refuse(in, "451 4.7.0 Error: cannot check the message, "
				  "try again later");
}

static void verify(struct intake *in)
{
	struct check_request q = { .client = in->e->client,
				   .client_name = *in->e->client_name
							  ? in->e->client_name
							  : NULL,
				   .helo = in->e->helo,
				   .sender = in->e->sender };
	struct check_verdict v = { .dmarc = CHECK_DMARC_NONE };

	q.fd = queue_file(in->queue, &q.offset, &q.length);
	if (check_verify(&q, &v, &in->fields, VERIFY_MS)) {
		buf_reset(&in->fields);
		no_answer(in, "verified");
		return;
	}
	if (v.dmarc == CHECK_DMARC_REJECT && in->dmarc_reject)
		intake_refuse(in,
			      "550 5.7.1 Rejected by the DMARC policy of %s",
			      v.from_domain);
}

/* The sender was checked against the login, the From field was not: so a
 * message is signed for the sender's domain, and one with the null sender
 * only if the field is of the login's domain. */
static const char *signing_domain(const struct intake *in)
{
	const char *at = strrchr(in->e->sender, '@');

	if (at)
		return at + 1;
	at = strrchr(in->e->login, '@');
	return at && str_equal_ci(at + 1, in->from_domain) ? in->from_domain
							   : "";
}

static bool known_unsigned(const struct intake *in, const char *domain)
{
	return strcmp(in->unsigned_domain, domain) == 0 &&
	       clock_ms() < in->unsigned_until_ms;
}

static void sign(struct intake *in, const char *domain)
{
	off_t offset, length;
	int fd = queue_file(in->queue, &offset, &length);

	if (check_sign(fd, offset, length, domain, &in->fields, SIGN_MS)) {
		buf_reset(&in->fields);
		no_answer(in, "signed");
		return;
	}
	if (in->fields.len > 0)
		return;
	str_copy(in->unsigned_domain, INTAKE_DOMAIN_SIZE, domain);
	in->unsigned_until_ms = clock_ms() + UNSIGNED_MS;
}

void intake_check(struct intake *in)
{
	bool signs = in->kind == INTAKE_SUBMITTED;
	const char *domain = signing_domain(in);

	if (signs && (!*domain || known_unsigned(in, domain)))
		return;
	if (!signs && (in->kind != INTAKE_OUTSIDE || !in->verify))
		return;
	if (queue_flush(in->queue)) {
		intake_refuse(in, "451 4.3.0 Error: queue file write error");
		return;
	}
	if (signs)
		sign(in, domain);
	else
		verify(in);
}
