#include "pickup/pickup-header.h"

#include <string.h>

#include "base/str.h"
#include "intake/edit.h"
#include "log/log.h"
#include "mime/field.h"

static const char *const address_fields[] = {
	"From",	     "Sender",	    "Reply-To",	     "To", "Cc", "Resent-To",
	"Resent-Cc", "Resent-From", "Resent-Sender",
};

static struct {
	const char *origin;
} self;

/* A list of addresses, read a token at a time. */
struct scan {
	const char *p, *end;
	const char *copied;   /* up to here it is in OUT */
	const char *word_end; /* after the last word */
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

/* Gives the field at AT its completed value. What is not allowed in a field,
 * such as a fold with only blanks, stays as it came. */
static void complete_field(struct intake_header *h, size_t at)
{
	const struct mime_field *f = &h->field[at];
	struct buf out;

	buf_init(&out, 4 * QUEUE_HEADER_MAX);
	pickup_complete(&out, f->value, f->nvalue, self.origin);
	if (!out.over && out.len != f->nvalue &&
	    !intake_header_change(h, at, out.data + (*out.data == ' ')))
		log_debug("a field is not completed: it is malformed");
	buf_free(&out);
}

void pickup_header_begin(const char *origin)
{
	self.origin = origin;
}

enum intake_action pickup_judge_header(const struct intake_question *q,
				       struct answer *a)
{
	struct intake_header *h = intake_header(q->intake);

	(void)a;
	for (size_t i = 0; i < h->n; i++)
		if (has_addresses(&h->field[i]))
			complete_field(h, i);
	return INTAKE_ACCEPT;
}
