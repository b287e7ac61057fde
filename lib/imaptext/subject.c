/*
 * The base subject, step by step as RFC 5256 section 2.1 has it, on a span
 * that gets shorter at both ends. All bytes are looked at a few times at most:
 * what follows a row of blobs is found once for all of them.
 */
#include "imaptext/imaptext.h"

#include <string.h>

#include "base/str.h"

struct span {
	const char *p;
	const char *end;
	bool reply; /* something was cut that says so */
};

static bool starts(const char *p, const char *end, const char *word)
{
	size_t n = strlen(word);

	return (size_t)(end - p) >= n && str_span_is(p, n, word);
}

static bool ends(const struct span *s, const char *word)
{
	size_t n = strlen(word);

	return (size_t)(s->end - s->p) >= n && str_span_is(s->end - n, n, word);
}

static const char *skip_blank(const char *p, const char *end)
{
	while (p < end && *p == ' ')
		p++;
	return p;
}

/* Behind "[…]" and blanks; NULL if no such thing is at P. */
static const char *skip_blob(const char *p, const char *end)
{
	if (p >= end || *p != '[')
		return NULL;
	for (p++; p < end && *p != ']'; p++)
		if (*p == '[')
			return NULL;
	return p < end ? skip_blank(p + 1, end) : NULL;
}

/* Behind "Re:", "Fw:", "Fwd:" with what may stand before the colon, or NULL. */
static const char *skip_refwd(const char *p, const char *end)
{
	const char *blob;

	if (starts(p, end, "fwd"))
		p += 3;
	else if (starts(p, end, "re") || starts(p, end, "fw"))
		p += 2;
	else
		return NULL;
	p = skip_blank(p, end);
	blob = skip_blob(p, end);
	p = blob ? blob : p;
	return p < end && *p == ':' ? p + 1 : NULL;
}

/* Step 2 */
static void cut_trailers(struct span *s)
{
	for (;;) {
		if (s->end > s->p && s->end[-1] == ' ') {
			s->end--;
		} else if (ends(s, "(fwd)")) {
			s->end -= 5;
			s->reply = true;
		} else {
			return;
		}
	}
}

/* Steps 3 to 5. Blobs go if something stands behind them. */
static void cut_leaders(struct span *s)
{
	for (;;) {
		const char *last, *p, *next;

		s->p = last = p = skip_blank(s->p, s->end);
		while ((next = skip_blob(p, s->end))) {
			last = p;
			p = next;
		}
		next = skip_refwd(p, s->end);
		if (!next) {
			s->p = p < s->end ? p : last;
			return;
		}
		s->p = next;
		s->reply = true;
	}
}

/* Tabs and rows of blanks as one blank. */
static void squeeze(struct buf *out, const char *text, size_t n)
{
	bool blank = false;

	for (size_t i = 0; i < n; i++) {
		bool is = text[i] == ' ' || text[i] == '\t';

		if (!is)
			buf_putc(out, text[i]);
		else if (!blank)
			buf_putc(out, ' ');
		blank = is;
	}
}

bool imap_base_subject(struct buf *out, const char *text, size_t n)
{
	struct buf flat;
	struct span s;

	buf_init(&flat, n + 1);
	squeeze(&flat, text, n);
	s = (struct span){ flat.data, flat.data + flat.len, false };
	for (;;) {
		cut_trailers(&s);
		cut_leaders(&s);
		if (!starts(s.p, s.end, "[fwd:") || !ends(&s, "]"))
			break;
		s.p += 5;
		s.end--;
		s.reply = true;
	}
	buf_put(out, s.p, (size_t)(s.end - s.p));
	buf_free(&flat);
	return s.reply;
}
