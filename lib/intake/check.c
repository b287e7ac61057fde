/* Verification of mail from outside, signatures of our users' mail. */
#include "intake/private.h"

#include <string.h>

#include "address/address.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "client/check.h"
#include "log/log.h"
#include "mime/address.h"

#define VERIFY_MS 30000
#define SIGN_MS 10000
#define UNSIGNED_MS 60000 /* a new key is noticed after this time */

/* Authcheck could not answer: then the message waits at its client, unless the
 * administrator wants it anyway. A program on this host may have nowhere to
 * keep it: its mail goes out unsigned. */
static bool must_wait(struct intake *in, const char *what, int err)
{
	log_warn("%s: not %s: %s", queue_id(in->queue), what, err_why(err));
	buf_reset(&in->fields);
	return in->check_must_answer && *in->e->client;
}

static const char cannot_check[] =
	"451 4.7.0 Error: cannot check the message, try again later";

/* Records that a message was to be checked and could not be. */
static void put_no_results(struct intake *in)
{
	buf_printf(&in->fields,
		   "Authentication-Results: %s; spf=temperror; dkim=temperror;"
		   "\r\n\tdmarc=temperror\r\n",
		   in->hostname);
}

static enum intake_action act_on(const struct intake *in,
				 const struct check_verdict *v,
				 struct answer *a)
{
	if (*v->from_fault && in->reject_malformed_from)
		return intake_no(a, "550 5.7.1 Rejected: %s", v->from_fault);
	switch (v->dmarc) {
	case CHECK_DMARC_REJECT:
		if (in->dmarc_reject)
			return intake_no(a,
					 "550 5.7.1 Rejected by the DMARC "
					 "policy of %s",
					 v->from_domain);
		break;
	case CHECK_DMARC_TEMP:
		if (in->check_must_answer)
			return intake_no(a,
					 "451 4.7.0 Error: cannot check the "
					 "DMARC policy of %s, try again later",
					 v->from_domain);
		break;
	case CHECK_DMARC_NONE:
	case CHECK_DMARC_PASS:
	case CHECK_DMARC_QUARANTINE:
		break;
	}
	return INTAKE_ACCEPT;
}

enum intake_action intake_verify(const struct intake_question *q,
				 struct answer *a)
{
	struct intake *in = q->intake;
	struct check_request r = { .client = q->e->client,
				   .client_name = *q->e->client_name
							  ? q->e->client_name
							  : NULL,
				   .helo = q->e->helo,
				   .sender = q->e->sender };
	struct check_verdict v = { .dmarc = CHECK_DMARC_NONE };
	off_t body;
	int err;

	if (!in->verify)
		return INTAKE_ACCEPT;
	r.fd = intake_file(in, &r.offset, &r.length, &body);
	if (r.fd < 0) /* the fault is noted */
		return INTAKE_ACCEPT;
	err = check_verify(&r, &v, &in->fields, VERIFY_MS);
	if (!err)
		return act_on(in, &v, a);
	if (must_wait(in, "verified", err))
		return intake_no(a, cannot_check);
	put_no_results(in);
	return INTAKE_ACCEPT;
}

static void take_domain(void *context, const struct mime_address *a)
{
	char *out = context;

	if (*out || a->kind != MIME_MAILBOX)
		return;
	if (address_domain(a->domain.data, a->domain.len, out))
		*out = '\0';
}

/* The domain of the first address in From; "" if readers may see another. */
static void from_domain(const struct intake *in, char *out)
{
	size_t at = intake_header_find(&in->header, "From", 0);
	const struct mime_field *f = &in->header.field[at];

	*out = '\0';
	if (at < in->header.n &&
	    mime_address_list(f->value, f->nvalue, 0, take_domain, out) !=
		    MIME_BY_GRAMMAR)
		*out = '\0';
}

/* A login's message is signed for its author, if the login may write as that
 * (author.c). What local programs write is not checked: it is signed for the
 * sender's domain, and with the null sender only if From is in the domain of
 * the user who sends it. */
static bool signing_domain( struct intake *in, char *out)
{
	const char *at = strrchr(in->envelope.sender, '@');

	if (in->author_judged && in->header.changed)
		intake_find_signer(in);
	if (in->author_judged)
		return str_copy(out, INTAKE_DOMAIN_SIZE, in->signer) && *out;
	if (at)
		return str_copy(out, INTAKE_DOMAIN_SIZE, at + 1);
	from_domain(in, out);
	at = strrchr(in->e->login, '@');
	return *out && at && str_equal_ci(at + 1, out);
}

static bool known_unsigned(const struct intake *in, const char *domain)
{
	return strcmp(in->unsigned_domain, domain) == 0 &&
	       clock_ms() < in->unsigned_until_ms;
}

void intake_sign(struct intake *in)
{
	char domain[INTAKE_DOMAIN_SIZE];
	off_t offset, length, body;
	int fd, err;

	if (in->kind != INTAKE_SUBMITTED || !signing_domain(in, domain) ||
	    known_unsigned(in, domain))
		return;
	fd = intake_file(in, &offset, &length, &body);
	if (fd < 0) /* the fault is noted */
		return;
	err = check_sign(fd, offset, length, domain, &in->fields, SIGN_MS);
	if (err && must_wait(in, "signed", err))
		intake_refuse(in, "%s", cannot_check);
	if (err || in->fields.len > 0)
		return;
	str_copy(in->unsigned_domain, INTAKE_DOMAIN_SIZE, domain);
	in->unsigned_until_ms = clock_ms() + UNSIGNED_MS;
}
