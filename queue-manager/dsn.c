/*
 * The text of notices. Each part is first made in a separate buffer, since the
 * header before them says what they need: 8BITMIME, SMTPUTF8, the types of RFC
 * 6533. Text from strangers is included as one bounded line without control
 * characters. A recipient's result comes from the journal as it was set
 * (qmgr/result.h).
 */
#include "queue-manager/dsn.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "mime/encode.h"
#include "mime/field.h"
#include "queue-manager/bouncer.h"

#define FIELD_MAX 900 /* of foreign text in one line */

/* Bytes of reports on recipients; those beyond are only counted, since a
 * notice that is too large for any host would tell nobody. */
#define REPORTS_MAX (4 << 20)
#define REPORT_ROOM 65536 /* more than one recipient needs */

/* What differs between the kinds. */
static const struct kind {
	unsigned kind;
	const char *subject;
	const char *text;
} kinds[] = {
	{ TOLD_FAILURE, "Undelivered mail returned to sender",
	  "Your message could not be delivered to the recipients below. It is "
	  "not\r\ntried any more; it comes back with this notice.\r\n" },
	{ TOLD_SUCCESS, "Your message was delivered",
	  "You asked to be told: your message was delivered to the recipients "
	  "below,\r\nor passed on to a host that tells no more.\r\n" },
	{ TOLD_DELAY, "Your message is delayed (no need to send it again)",
	  "Your message could not yet be delivered to the recipients below. "
	  "It is\r\ntried again; there is nothing that you need to do.\r\n" },
};

static const struct kind *kind_of(const struct dsn *d)
{
	for (size_t i = 0; i < 2; i++)
		if (kinds[i].kind == d->kind->bit)
			return &kinds[i];
	return &kinds[2];
}

bool dsn_concerns(const struct dsn *d, const struct recipient *r)
{
	return bouncer_concerns(r, d->kind) &&
	       strcmp(recipient_sender(d->m, r), d->sender) == 0;
}

static bool is_ascii(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s >= 0x80)
			return false;
	return true;
}

/* Foreign text within a line: no control characters, bounded. */
static void put_text(struct buf *out, const char *s)
{
	for (size_t n = 0; *s && n < FIELD_MAX; s++, n++)
		buf_putc(out,
			 (unsigned char)*s < 0x20 || *s == 0x7f ? ' ' : *s);
}

static void put_field(struct buf *out, const char *name, const char *value)
{
	buf_puts(out, name);
	buf_puts(out, ": ");
	put_text(out, value);
	buf_puts(out, "\r\n");
}

static void put_date(struct buf *out, const char *name, time_t when)
{
	char date[CLOCK_DATE_SIZE];

	put_field(out, name, clock_date(date, sizeof(date), when));
}

static bool needs_utf8(const struct dsn *d)
{
	if (d->m->envelope.smtputf8 || !is_ascii(d->to))
		return true;
	for (size_t i = 0; i < d->m->nrcpts; i++)
		if (dsn_concerns(d, &d->m->rcpt[i]) &&
		    (!is_ascii(d->m->rcpt[i].address) ||
		     !is_ascii(d->m->rcpt[i].original) ||
		     !is_ascii(d->m->rcpt[i].orcpt)))
			return true;
	return false;
}

static bool has_8bit(const struct buf *b)
{
	return mime_count_8bit(b->data, b->len, 1) > 0;
}

static void put_header(struct dsn *d, struct buf *out)
{
	put_date(out, "Date", clock_wall());
	buf_printf(out, "From: Mail Delivery System <MAILER-DAEMON@%s>\r\n",
		   d->host);
	put_field(out, "To", d->to);
	put_field(out, "Subject", kind_of(d)->subject);
	buf_printf(out, "Message-ID: <%s@%s>\r\n", d->id, d->host);
	buf_puts(out, "Auto-Submitted: auto-replied\r\n"
		      "MIME-Version: 1.0\r\n");
	buf_printf(out,
		   "Content-Type: multipart/report; "
		   "report-type=%sdelivery-status;\r\n"
		   "\tboundary=\"%s/%s\"\r\n",
		   d->utf8 ? "global-" : "", d->id, d->host);
	if (d->eight_bit)
		buf_puts(out, "Content-Transfer-Encoding: 8bit\r\n");
	buf_puts(out, "\r\nThis is a MIME message with a delivery "
		      "report.\r\n");
}

static void put_part(const struct dsn *d, struct buf *out,
		     const char *description, const char *type,
		     const struct buf *body)
{
	buf_printf(out,
		   "\r\n--%s/%s\r\nContent-Description: %s\r\n"
		   "Content-Type: %s\r\n",
		   d->id, d->host, description, type);
	if (has_8bit(body))
		buf_puts(out, "Content-Transfer-Encoding: 8bit\r\n");
	buf_puts(out, "\r\n");
	buf_put(out, body->data, body->len);
}

/* One recipient, for people. */
static void put_recipient_text(struct buf *out, const struct recipient *r)
{
	buf_puts(out, "\r\n<");
	put_text(out, r->address);
	buf_puts(out, ">");
	if (strcmp(r->original, r->address) != 0) {
		buf_puts(out, " (for <");
		put_text(out, r->original);
		buf_puts(out, ">)");
	}
	buf_puts(out, ":\r\n    ");
	if (r->flags & RESULT_REMOTE) {
		buf_puts(out, "host ");
		put_text(out, r->relay);
		buf_puts(out, " said: ");
	}
	put_text(out, *r->reply ? r->reply : r->dsn);
	buf_puts(out, "\r\n");
}

/* "host[192.0.2.1]:25" without what follows the name. */
static void put_remote_mta(struct buf *out, const char *relay)
{
	size_t n = strcspn(relay, "[:");

	if (n == 0 || n > 255)
		return;
	buf_puts(out, "Remote-MTA: dns; ");
	buf_put(out, relay, n);
	buf_puts(out, "\r\n");
}

static void put_recipient_status(const struct dsn *d, struct buf *out,
				 const struct recipient *r)
{
	buf_puts(out, "\r\n");
	if (*r->orcpt) {
		put_field(out, "Original-Recipient", r->orcpt);
	} else if (strcmp(r->original, r->address) != 0) {
		buf_printf(out, "Original-Recipient: %s; ",
			   is_ascii(r->original) ? "rfc822" : "utf-8");
		put_text(out, r->original);
		buf_puts(out, "\r\n");
	}
	buf_printf(out, "Final-Recipient: %s; ",
		   is_ascii(r->address) ? "rfc822" : "utf-8");
	put_text(out, r->address);
	buf_puts(out, "\r\n");
	put_field(out, "Action", result_action(d->kind->status, r->flags));
	put_field(out, "Status", *r->dsn ? r->dsn : "4.0.0");
	if (r->flags & RESULT_REMOTE)
		put_remote_mta(out, r->relay);
	if (*r->reply) {
		buf_puts(out, "Diagnostic-Code: ");
		buf_puts(out, (r->flags & RESULT_REMOTE) ? "smtp; " : "x-posthorn; ");
		put_text(out, r->reply);
		buf_puts(out, "\r\n");
	}
	if (r->when)
		put_date(out, "Last-Attempt-Date", r->when);
	if (d->kind->bit == TOLD_DELAY)
		put_date(out, "Will-Retry-Until", d->give_up);
}

/* What is said about the message as a whole. */
static void put_beginnings(const struct dsn *d, struct buf *explanation,
			   struct buf *status)
{
	const struct envelope *e = &d->m->envelope;

	buf_printf(explanation, "This is the mail system of %s.\r\n\r\n",
		   d->host);
	buf_puts(explanation, kind_of(d)->text);
	buf_printf(status, "Reporting-MTA: dns; %s\r\n", d->host);
	if (*e->envid)
		put_field(status, "Original-Envelope-Id", e->envid);
	put_field(status, "X-Posthorn-Queue-ID", d->m->super.id);
	put_date(status, "Arrival-Date", message_arrival(d->m));
}

/* Both parts name the same recipients: as many as there is room for. */
static void put_reports(const struct dsn *d, struct buf *explanation,
			struct buf *status)
{
	size_t more = 0;

	put_beginnings(d, explanation, status);
	for (size_t i = 0; i < d->m->nrcpts; i++) {
		const struct recipient *r = &d->m->rcpt[i];

		if (!dsn_concerns(d, r))
			continue;
		if (more || explanation->len + status->len > REPORTS_MAX) {
			more++;
			continue;
		}
		put_recipient_text(explanation, r);
		put_recipient_status(d, status, r);
	}
	if (more)
		buf_printf(explanation,
			   "\r\nand %zu more, too many to be named here.\r\n",
			   more);
	/* RFC 3464 section 2.1: 7-bit; RFC 6533 has a type for the rest */
	for (size_t i = 0; i < status->len && !d->utf8; i++)
		if ((unsigned char)status->data[i] >= 0x80)
			status->data[i] = '?';
}

/* The bytes of the header's fields. */
static size_t header_length(const char *text, size_t n)
{
	size_t end = mime_header_end(text, n, 0);

	return end ? end - 2 : n;
}

static bool wants_whole(const struct dsn *d)
{
	const char *ret = d->m->envelope.ret;

	/* RFC 3461 section 4.3: RET is only about failures */
	return d->kind->bit == TOLD_FAILURE && !str_equal_ci(ret, "HDRS") &&
	       d->m->super.length <= d->size_limit;
}

/* The message as it would be delivered, or its header. */
static int read_original(const struct dsn *d, struct buf *text)
{
	size_t n = (size_t)d->m->super.length;
	const char *prologue = d->m->envelope.prologue;
	size_t before = strlen(prologue);
	char *to;
	int err;

	if (!wants_whole(d) && n > (size_t)d->size_limit)
		n = (size_t)d->size_limit;
	buf_puts(text, prologue);
	to = buf_room(text, n);
	if (!to)
		return ERR_TOO_LONG;
	err = file_pread(d->fd, to, n, d->m->super.content);
	if (err)
		return err;
	buf_added(text, n);
	if (!wants_whole(d))
		buf_truncate(text, before + header_length(text->data + before,
							  text->len - before));
	return ERR_OK;
}

static void put_original(const struct dsn *d, struct buf *out,
			 const struct buf *original)
{
	static const char *const type[2][2] = {
		{ "text/rfc822-headers", "message/rfc822" },
		{ "message/global-headers", "message/global" },
	};
	bool whole = wants_whole(d);

	put_part(d, out, whole ? "Undelivered message" : "Message header",
		 type[d->utf8][whole], original);
}

static void put_parts(const struct dsn *d, struct buf *out,
		      const struct buf *explanation, const struct buf *status,
		      const struct buf *original)
{
	put_part(d, out, "Notification",
		 has_8bit(explanation) ? "text/plain; charset=utf-8"
				       : "text/plain; charset=us-ascii",
		 explanation);
	put_part(d, out, "Delivery report",
		 d->utf8 ? "message/global-delivery-status"
			 : "message/delivery-status",
		 status);
	put_original(d, out, original);
	buf_printf(out, "\r\n--%s/%s--\r\n", d->id, d->host);
}

int dsn_write(struct dsn *d, struct buf *out)
{
	struct buf explanation, status, original;
	int err;

	buf_init(&explanation, REPORTS_MAX + REPORT_ROOM);
	buf_init(&status, REPORTS_MAX + REPORT_ROOM);
	buf_init(&original, (size_t)d->size_limit + (1 << 20));
	err = read_original(d, &original);
	d->utf8 = needs_utf8(d);
	put_reports(d, &explanation, &status);
	d->eight_bit = d->utf8 || has_8bit(&explanation) || has_8bit(&original);
	put_header(d, out);
	put_parts(d, out, &explanation, &status, &original);
	if (!err && (explanation.over || status.over || out->over))
		err = ERR_TOO_LONG;
	buf_free(&explanation);
	buf_free(&status);
	buf_free(&original);
	return err;
}
