#include "submit/pickup-header.h"

#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "mime/field.h"

static const char *const address_fields[] = {
	"From",	     "Sender",	    "Reply-To",	     "To", "Cc", "Resent-To",
	"Resent-Cc", "Resent-From", "Resent-Sender",
};

/* A list of addresses, read a token at a time. */
struct scan {
	const char *p, *end;
	const char *copied;   /* up to here it is in OUT */
	const char *word_end; /* behind the last word */
	int words;	      /* of the address so far */
	bool joined;	      /* the last token was a dot or an @ */
	bool at;
	bool angle_seen;
	struct buf *out;
	const char *origin;
};

static void start_over(struct scan *s)
{
	s->words = 0;
	s->joined = s->at = s->angle_seen = false;
}

/* The address ends: one word without a domain gets one. */
static void end_address(struct scan *s)
{
	if (s->words == 1 && !s->at && !s->joined) {
		buf_put(s->out, s->copied, (size_t)(s->word_end - s->copied));
		buf_putc(s->out, '@');
		buf_puts(s->out, s->origin);
		s->copied = s->word_end;
	}
}

static const char *skip_comment(const char *p, const char *end)
{
	int depth = 0;

	for (; p < end; p++) {
		if (*p == '\\' && p + 1 < end)
			p++;
		else if (*p == '(')
			depth++;
		else if (*p == ')' && --depth == 0)
			return p + 1;
	}
	return end;
}

static const char *skip_quoted(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		if (*p == '\\' && p + 1 < end)
			p++;
	return p < end ? p + 1 : end;
}

static void take_word(struct scan *s)
{
	const char *p = s->p;

	if (*p == '"')
		p = skip_quoted(p, s->end);
	else
		while (p < s->end && !str_isspace(*p) &&
		       !strchr("()<>@,;:\".", *p))
			p++;
	if (!s->joined || s->words == 0)
		s->words++;
	s->joined = false;
	s->p = s->word_end = p > s->p ? p : s->p + 1;
}

static void take_special(struct scan *s, char c)
{
	s->p++;
	switch (c) {
	case '<':
		start_over(s);
		s->angle_seen = true;
		break;
	case '>':
		end_address(s);
		s->words = 0;
		break;
	case ',':
	case ';':
		if (!s->angle_seen)
			end_address(s);
		start_over(s);
		break;
	case ':':
		start_over(s);
		break;
	case '@':
		s->at = true;
		__attribute__((fallthrough));
	default:
		s->joined = true;
	}
}

void pickup_complete(struct buf *out, const char *value, size_t n,
		     const char *origin)
{
	struct scan s = { .p = value,
			  .end = value + n,
			  .copied = value,
			  .out = out,
			  .origin = origin };

	while (s.p < s.end) {
		if (str_isspace(*s.p))
			s.p++;
		else if (*s.p == '(')
			s.p = skip_comment(s.p, s.end);
		else if (*s.p && strchr("<>,;:@.", *s.p))
			take_special(&s, *s.p);
		else
			take_word(&s);
	}
	if (!s.angle_seen)
		end_address(&s);
	buf_put(out, s.copied, (size_t)(s.end - s.copied));
}

static bool has_addresses(const struct mime_field *f)
{
	for (size_t i = 0;
	     i < sizeof(address_fields) / sizeof(address_fields[0]); i++)
		if (mime_field_is(f, address_fields[i]))
			return true;
	return false;
}

static void put_field(struct pickup_header *h, const struct mime_field *f,
		      struct buf *out)
{
	size_t before = (size_t)(f->value - f->raw);

	if (!has_addresses(f)) {
		buf_put(out, f->raw, f->nraw);
		return;
	}
	buf_put(out, f->raw, before);
	pickup_complete(out, f->value, f->nvalue, h->origin);
	buf_put(out, f->value + f->nvalue, f->nraw - before - f->nvalue);
}

/* Hands on what was kept; its first N bytes are fields, whole ones. */
static void hand_on(struct pickup_header *h, size_t n)
{
	const char *pos = h->buf.data, *end = pos + n;
	struct mime_field f;
	struct buf out;

	buf_init(&out, 4 * QUEUE_HEADER_MAX);
	while (mime_field_next(&pos, end, &f))
		put_field(h, &f, &out);
	if (out.over)
		n = 0; /* absurd: goes on as it is */
	else
		intake_write(h->intake, out.data, out.len);
	intake_write(h->intake, h->buf.data + n, h->buf.len - n);
	buf_free(&out);
	buf_free(&h->buf);
	h->done = true;
}

void pickup_header_begin(struct pickup_header *h, struct intake *intake,
			 const char *origin)
{
	*h = (struct pickup_header){ .intake = intake, .origin = origin };
	buf_init(&h->buf, 2 * QUEUE_HEADER_MAX);
}

int pickup_header_write(void *header, const void *data, size_t n)
{
	struct pickup_header *h = header;
	size_t seen = h->buf.len, end;

	if (h->done)
		return intake_write(h->intake, data, n);
	buf_put(&h->buf, data, n);
	end = mime_header_end(h->buf.data, h->buf.len, seen);
	if (end > 0)
		hand_on(h, end - 2);
	else if (h->buf.len > QUEUE_HEADER_MAX) /* for intake to refuse */
		hand_on(h, 0);
	return ERR_OK;
}

void pickup_header_end(struct pickup_header *h)
{
	if (!h->done)
		hand_on(h, h->buf.len);
}
