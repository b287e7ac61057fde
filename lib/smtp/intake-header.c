/*
 * The filter that every header goes through, once. Fields that nobody but
 * us may write are dropped; submitted messages get what they lack. All else
 * stays byte for byte, in runs.
 */
#include "smtp/intake-parts.h"

#include <stdio.h>
#include <string.h>

#include "address/address.h"
#include "base/clock.h"
#include "mime/field.h"

enum { SEEN_FROM = 1 << 0, SEEN_DATE = 1 << 1, SEEN_MESSAGE_ID = 1 << 2 };

struct filter {
	struct intake *in;
	struct buf out;
	const char *kept; /* the run that is kept and not yet copied */
	unsigned seen;
	int hops;
};

typedef bool field_rule(struct filter *f, const struct mime_field *field);

/* Each rule tells whether the field stays. */

static bool drop(struct filter *f, const struct mime_field *field)
{
	(void)f;
	(void)field;
	return false;
}

static bool drop_submitted(struct filter *f, const struct mime_field *field)
{
	(void)field;
	return f->in->kind != INTAKE_SUBMITTED;
}

/* Passes over white space, folds and comments. */
static const char *skip_blank(const char *p, const char *end)
{
	size_t depth = 0;

	for (; p < end; p++) {
		if (*p == '(')
			depth++;
		else if (*p == ')' && depth > 0)
			depth--;
		else if (*p == '\\' && depth > 0 && p + 1 < end)
			p++;
		else if (!depth && !str_isspace((unsigned char)*p))
			break;
	}
	return p;
}

/* Results in our name that we did not write (RFC 8601 section 5). */
static bool check_results(struct filter *f, const struct mime_field *field)
{
	const char *end = field->value + field->nvalue;
	const char *p = skip_blank(field->value, end), *q;
	size_t n = strlen(f->in->hostname);

	if (p < end && *p == '"')
		p++;
	for (q = p; q < end && !strchr("\"; \t\r\n(", *q); q++)
		;
	return (size_t)(q - p) != n || !str_span_is(p, n, f->in->hostname);
}

static bool note_received(struct filter *f, const struct mime_field *field)
{
	(void)field;
	f->hops++;
	return true;
}

static bool note_date(struct filter *f, const struct mime_field *field)
{
	(void)field;
	f->seen |= SEEN_DATE;
	return true;
}

static bool note_message_id(struct filter *f, const struct mime_field *field)
{
	struct buf text;

	f->seen |= SEEN_MESSAGE_ID;
	buf_init(&text, QUEUE_HEADER_MAX);
	mime_unfold(&text, field->value, field->nvalue);
	if (!str_copy(f->in->message_id, INTAKE_ID_SIZE, text.data))
		str_copy(f->in->message_id, INTAKE_ID_SIZE, "(too long)");
	buf_free(&text);
	return true;
}

static bool note_from(struct filter *f, const struct mime_field *field)
{
	struct strlist l = { 0 };
	struct address a;

	f->seen |= SEEN_FROM;
	address_header(field->value, field->nvalue, 1, &l);
	if (l.n > 0 && address_parse(l.item[0], strlen(l.item[0]), &a) == 0)
		str_copy(f->in->from_domain, INTAKE_DOMAIN_SIZE, a.domain);
	strlist_free(&l);
	return true;
}

static const struct {
	const char *name;
	field_rule *rule;
} rules[] = {
	{ "Received", note_received },
	{ "From", note_from },
	{ "Date", note_date },
	{ "Message-ID", note_message_id },
	{ "Authentication-Results", check_results },
	{ "Return-Path", drop },
	{ "Bcc", drop_submitted },
	{ "Resent-Bcc", drop_submitted },
	{ "Content-Length", drop_submitted },
};

static bool stays(struct filter *f, const struct mime_field *field)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (mime_field_is(field, rules[i].name))
			return rules[i].rule(f, field);
	return true;
}

/* A field's name is printable, without spaces (RFC 5322 section 2.2). */
static bool is_field(const struct mime_field *field)
{
	for (size_t i = 0; i < field->nname; i++)
		if (field->name[i] <= ' ' || field->name[i] >= 0x7f)
			return false;
	return field->nname > 0;
}

static void copy_run(struct filter *f, const char *to, const char *next)
{
	buf_put(&f->out, f->kept, (size_t)(to - f->kept));
	f->kept = next;
}

/* Walks over the fields from POS; gives where they end, and in *BODY where
 * the body begins. */
static const char *walk(struct filter *f, const char *pos, const char *end,
			const char **body)
{
	struct mime_field field;
	const char *at = pos;

	f->kept = pos;
	while (mime_field_next(&pos, end, &field)) {
		if (!is_field(&field)) {
			*body = field.raw;
			return field.raw;
		}
		if (!stays(f, &field))
			copy_run(f, field.raw, field.raw + field.nraw);
		at = pos;
	}
	*body = pos;
	return at;
}

/* "From joe Mon …" of a mailbox file, which is no field. */
static const char *skip_mailbox_line(const char *p, const char *end)
{
	const char *start = p, *lf;

	if (p < end && *p == '>')
		p++;
	if (end - p < 5 || memcmp(p, "From ", 5) != 0)
		return start;
	lf = memchr(p, '\n', (size_t)(end - p));
	return lf ? lf + 1 : end;
}

/* What RFC 6409 section 8 lets us add to a submitted message. */
static void complete(struct filter *f)
{
	struct intake *in = f->in;
	time_t now = (time_t)(in->e->arrival_us / 1000000);
	char date[CLOCK_DATE_SIZE];

	if (!(f->seen & SEEN_FROM) && *in->e->sender)
		buf_printf(&f->out, "From: <%s>\r\n", in->e->sender);
	if (!(f->seen & SEEN_DATE))
		buf_printf(&f->out, "Date: %s\r\n",
			   clock_date(date, sizeof(date), now));
	if (!(f->seen & SEEN_MESSAGE_ID)) {
		snprintf(in->message_id, INTAKE_ID_SIZE, "<%lld.%s@%.200s>",
			 (long long)in->e->arrival_us, queue_id(in->queue),
			 in->hostname);
		buf_printf(&f->out, "Message-ID: %s\r\n", in->message_id);
	}
}

void intake_filter_header(struct intake *in, const char *data, size_t n)
{
	struct filter f = { .in = in };
	const char *end = data + n, *body = end, *stop;

	buf_init(&f.out, n + 16384);
	intake_put_received(in, &f.out);
	stop = walk(&f, skip_mailbox_line(data, end), end, &body);
	copy_run(&f, stop, stop);
	if (in->kind == INTAKE_SUBMITTED)
		complete(&f);
	buf_puts(&f.out, "\r\n");
	intake_put(in, f.out.data, f.out.len);
	intake_put(in, body, (size_t)(end - body));
	if (f.hops > in->hop_limit)
		intake_refuse(in, "554 5.4.6 Error: too many hops");
	if (f.out.over)
		intake_refuse(in, "451 4.3.0 Error: header too large");
	buf_free(&f.out);
}
