/* The intake's own rows: the checks that every message has to pass, and the
 * changes to its header. Fields that only we may write are dropped; submitted
 * messages get the fields that they lack. */
#include "intake/private.h"

#include <stdio.h>
#include <string.h>

#include "address/authserv.h"
#include "base/clock.h"
#include "base/str.h"
#include "mime/delivered.h"

static enum intake_action judge_size(const struct intake_question *q,
				     struct answer *a)
{
	const struct intake *in = q->intake;

	if (!in->size_limit || in->size <= in->size_limit)
		return INTAKE_ACCEPT;
	return intake_no(a, "552 5.3.4 Error: message file too big");
}

static enum intake_action judge_hops(const struct intake_question *q,
				     struct answer *a)
{
	const struct intake_header *h = &q->intake->header;
	int64_t hops = 0;
	size_t at = 0;

	while ((at = intake_header_find(h, "Received", at)) < h->n) {
		hops++;
		at++;
	}
	if (hops <= q->intake->hop_limit)
		return INTAKE_ACCEPT;
	return intake_no(a, "554 5.4.6 Error: too many hops");
}

/* Each recipient has had the message: accepted, it could only go to its sender
 * as a bounce, and strangers may write anybody's name there. */
static enum intake_action judge_loop(const struct intake_question *q,
				     struct answer *a)
{
	const struct intake_header *h = &q->intake->header;
	const struct envelope *e = q->e;
	struct strlist had = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < h->n; i++)
		mime_delivered_note(&h->field[i], &had);
	while (had.n && n < e->nrecipients &&
	       mime_delivered_has(&had, e->recipient[n].address))
		n++;
	strlist_free(&had);
	if (n == 0 || n < e->nrecipients)
		return INTAKE_ACCEPT;
	return intake_no(a, "554 5.4.6 Error: mail forwarding loop");
}

static enum intake_action drop_return_path(const struct intake_question *q,
					   struct answer *a)
{
	(void)a;
	intake_header_remove_all(&q->intake->header, "Return-Path", NULL, NULL);
	return INTAKE_ACCEPT;
}

static enum intake_action drop_submitted(const struct intake_question *q,
					 struct answer *a)
{
	static const char *const names[] = { "Bcc", "Resent-Bcc",
					     "Content-Length" };

	(void)a;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		intake_header_remove_all(&q->intake->header, names[i], NULL,
					 NULL);
	return INTAKE_ACCEPT;
}

static bool are_ours(const struct mime_field *f, const void *hostname)
{
	return address_authserv_is(f->value, f->nvalue, hostname);
}

/* Results in our name that we did not write (RFC 8601 section 5). */
static enum intake_action drop_results(const struct intake_question *q,
				       struct answer *a)
{
	(void)a;
	intake_header_remove_all(&q->intake->header, "Authentication-Results",
				 are_ours, q->intake->hostname);
	return INTAKE_ACCEPT;
}

static bool lacks(const struct intake_header *h, const char *name)
{
	return intake_header_find(h, name, 0) == h->n;
}

static void add(struct intake_header *h, const char *name, const char *value)
{
	/* with an invalid value the message goes without the field */
	(void)intake_header_insert(h, h->n, name, value);
}

/* What RFC 6409 section 8 lets us add to a submitted message. */
static enum intake_action complete(const struct intake_question *q,
				   struct answer *a)
{
	const struct intake *in = q->intake;
	struct intake_header *h = &q->intake->header;
	time_t now = (time_t)(q->e->arrival_us / 1000000);
	char text[1024];

	(void)a;
	if (lacks(h, "From") && *q->e->sender) {
		snprintf(text, sizeof(text), "<%s>", q->e->sender);
		add(h, "From", text);
	}
	if (lacks(h, "Date"))
		add(h, "Date", clock_date(text, sizeof(text), now));
	if (lacks(h, "Message-ID")) {
		snprintf(text, sizeof(text), "<%lld.%s@%.200s>",
			 (long long)q->e->arrival_us, intake_id(in),
			 in->hostname);
		add(h, "Message-ID", text);
	}
	return INTAKE_ACCEPT;
}

static enum intake_action put_received(const struct intake_question *q,
				       struct answer *a)
{
	struct buf value;
	bool good;

	buf_init(&value, 16384);
	intake_received(q->intake, &value);
	good = intake_header_insert(&q->intake->header, 0, "Received",
				    value.data);
	buf_free(&value);
	if (good)
		return INTAKE_ACCEPT;
	return intake_no(a, "451 4.3.0 Error: no trace field can be made");
}

const struct intake_row intake_own_rows[] = {
	{ "message_size_limit", INTAKE_HEADER, INTAKE_ALL, judge_size },
	{ "hopcount_limit", INTAKE_HEADER, INTAKE_ALL, judge_hops },
	{ "Delivered-To", INTAKE_HEADER, INTAKE_OUTSIDE, judge_loop },
	{ "Return-Path", INTAKE_HEADER, INTAKE_ALL, drop_return_path },
	{ "results in our name", INTAKE_HEADER, INTAKE_ALL, drop_results },
	{ "Bcc", INTAKE_HEADER, INTAKE_SUBMITTED, drop_submitted },
	{ "missing fields", INTAKE_HEADER, INTAKE_SUBMITTED, complete },
	{ "smtpd_from_login_mismatch", INTAKE_HEADER, INTAKE_SUBMITTED,
	  intake_judge_author },
	{ "Received", INTAKE_HEADER, INTAKE_ALL, put_received },
	{ "message_size_limit", INTAKE_BODY, INTAKE_ALL, judge_size },
	{ "authcheck", INTAKE_END, INTAKE_OUTSIDE, intake_verify },
	{ NULL, INTAKE_END, 0, NULL },
};
