/*
 * A preview is made of the first leaf that has words: plain text before HTML, as
 * a mail program chooses. It is decoded, and its words are put one by one, without
 * white space at the ends, until there are enough. Lines that quote others count
 * if there are no others; of HTML what is between tags, but not style and script.
 */
#include "mime/preview.h"

#include <stdbool.h>
#include <string.h>
#include <unistr.h>

#include "base/arena.h"
#include "base/str.h"
#include "mime/decode.h"
#include "mime/param.h"
#include "mime/part.h"

#define TEXT_MAX (256 << 10) /* of a part, where the words must be */

/* The preview while it grows: white space between words is one space. */
struct words {
	struct buf *out;
	size_t n; /* characters */
	bool blank;
};

static bool is_full(const struct words *w)
{
	return w->n >= MIME_PREVIEW_MAX;
}

/* Is it white space, or shown by nothing? */
static bool is_blank(ucs4_t c)
{
	return c <= ' ' || c == 0x7f || c == 0xa0 || c == 0xad || c == 0x34f ||
	       (c >= 0x2000 && c <= 0x200f) || c == 0x2028 || c == 0x2029 ||
	       c == 0x202f || c == 0x2060 || c == 0x3000 || c == 0xfeff;
}

static void put_char(struct words *w, ucs4_t c)
{
	uint8_t bytes[6];
	int n;

	if (is_blank(c)) {
		w->blank = w->n > 0;
		return;
	}
	if (w->n + w->blank >= MIME_PREVIEW_MAX) {
		w->n = MIME_PREVIEW_MAX;
		return;
	}
	n = u8_uctomb(bytes, c, sizeof(bytes));
	if (n <= 0)
		return;
	if (w->blank)
		buf_putc(w->out, ' ');
	buf_put(w->out, bytes, (size_t)n);
	w->n += 1 + (size_t)w->blank;
	w->blank = false;
}

/* The character at P; what is no UTF-8 is one that stands for it. */
static const char *next_char(const char *p, const char *end, ucs4_t *c)
{
	int n = u8_mbtouc(c, (const uint8_t *)p, (size_t)(end - p));

	return p + (n > 0 ? n : 1);
}

static void put_text(struct words *w, const char *p, const char *end)
{
	ucs4_t c;

	while (p < end && !is_full(w)) {
		p = next_char(p, end, &c);
		put_char(w, c);
	}
	put_char(w, ' ');
}

/* Lines of plain text; QUOTED says whether those from others count. */
static void put_plain(struct words *w, const char *p, size_t n, bool quoted)
{
	const char *end = p + n, *line_end;

	for (; p < end && !is_full(w); p = line_end) {
		line_end = memchr(p, '\n', (size_t)(end - p));
		line_end = line_end ? line_end + 1 : end;
		if (line_end - p >= 3 && memcmp(p, "-- ", 3) == 0 && w->n > 0)
			return; /* a signature */
		if (*p != '>' || quoted)
			put_text(w, p, line_end);
	}
}

static const struct {
	const char *name;
	ucs4_t c;
} entities[] = {
	{ "amp", '&' },	      { "lt", '<' },	   { "gt", '>' },
	{ "quot", '"' },      { "apos", '\'' },	   { "nbsp", ' ' },
	{ "zwnj", ' ' },      { "ndash", 0x2013 }, { "mdash", 0x2014 },
	{ "hellip", 0x2026 }, { "copy", 0xa9 },	   { "euro", 0x20ac },
	{ "auml", 0xe4 },     { "ouml", 0xf6 },	   { "uuml", 0xfc },
	{ "Auml", 0xc4 },     { "Ouml", 0xd6 },	   { "Uuml", 0xdc },
	{ "szlig", 0xdf },    { "eacute", 0xe9 },  { "egrave", 0xe8 },
	{ "lsquo", 0x2018 },  { "rsquo", 0x2019 }, { "ldquo", 0x201c },
	{ "rdquo", 0x201d },
};

static ucs4_t numbered(const char *p, size_t n)
{
	bool hex = n > 0 && (*p == 'x' || *p == 'X');
	ucs4_t c = 0;
	size_t i;

	for (i = hex; i < n && c <= 0x10ffff; i++) {
		int digit =
			str_isdigit((unsigned char)p[i])
				? p[i] - '0'
				: str_tolower((unsigned char)p[i]) - 'a' + 10;

		if (digit < 0 || digit >= (hex ? 16 : 10))
			return ' ';
		c = c * (hex ? 16 : 10) + (ucs4_t)digit;
	}
	return c;
}

/* "&name;" at P: the byte after it; *C is ' ' if nobody knows it. */
static const char *entity(const char *p, const char *end, ucs4_t *c)
{
	size_t max = end - p > 12 ? 12 : (size_t)(end - p), n;
	const char *semicolon = memchr(p, ';', max);

	*c = '&';
	if (!semicolon)
		return p + 1;
	n = (size_t)(semicolon - p) - 1;
	*c = ' ';
	if (n > 0 && p[1] == '#')
		*c = numbered(p + 2, n - 1);
	for (size_t i = 0; i < sizeof(entities) / sizeof(entities[0]); i++)
		if (strlen(entities[i].name) == n &&
		    memcmp(p + 1, entities[i].name, n) == 0)
			*c = entities[i].c;
	return semicolon + 1;
}

/* Elements whose content is not shown. */
static const char *const hidden[] = { "style", "script", "title" };

static bool names(const char *p, const char *end, const char *name)
{
	size_t n = strlen(name);

	return (size_t)(end - p) > n && str_span_is(p, n, name) &&
	       (str_isspace((unsigned char)p[n]) || p[n] == '>' || p[n] == '/');
}

/* The byte after TEXT, from P on; END if it does not come. */
static const char *after(const char *p, const char *end, const char *text)
{
	const char *found = memmem(p, (size_t)(end - p), text, strlen(text));

	return found ? found + strlen(text) : end;
}

/* The name in the tag that ends element NAME, from P on; or END. */
static const char *end_of(const char *p, const char *end, const char *name)
{
	do
		p = after(p, end, "</");
	while (p < end && !names(p, end, name));
	return p;
}

/* The byte after the tag at P and, if it begins what is not shown, after the
 * tag that ends that. */
static const char *tag(const char *p, const char *end)
{
	if (end - p >= 4 && memcmp(p, "<!--", 4) == 0)
		return after(p + 4, end, "-->");
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		if (names(p + 1, end, hidden[i]))
			return after(end_of(p + 1, end, hidden[i]), end, ">");
	return after(p, end, ">");
}

/* Words of HTML. A tag separates words, but for those that change how a part
 * of a word looks. */
static void put_html(struct words *w, const char *p, size_t n)
{
	static const char *const inside[] = { "b", "i",	   "u",	   "em",
					      "a", "span", "font", "strong" };
	const char *end = p + n;
	ucs4_t c;

	while (p < end && !is_full(w)) {
		bool joins = false;

		if (*p == '<') {
			const char *name = p + 1 + (p + 1 < end && p[1] == '/');

			for (size_t i = 0;
			     i < sizeof(inside) / sizeof(inside[0]); i++)
				joins |= names(name, end, inside[i]);
			p = tag(p, end);
			if (!joins)
				put_char(w, ' ');
			continue;
		}
		p = *p == '&' ? entity(p, end, &c) : next_char(p, end, &c);
		put_char(w, c);
	}
}

/* What a leaf is; an attachment is none of them. */
enum kind { PLAIN, HTML, OTHER };

static enum kind kind_of(struct arena *a, const char *header, size_t n)
{
	struct mime_field f;
	struct mime_value v;

	if (mime_field_find(header, n, "Content-Disposition", &f) &&
	    mime_value_parse(a, &f, false, &v) &&
	    str_equal_ci(v.type, "attachment"))
		return OTHER;
	if (!mime_field_find(header, n, "Content-Type", &f) ||
	    !mime_value_parse(a, &f, true, &v))
		return PLAIN;
	if (!str_equal_ci(v.type, "text"))
		return OTHER;
	return str_equal_ci(v.subtype, "html") ? HTML : PLAIN;
}

static void put_leaf(struct words *w, const char *data,
		     const struct mime_part *part, enum kind kind)
{
	struct mime_part front = *part;
	struct buf text;

	if (front.nbody > TEXT_MAX)
		front.nbody = TEXT_MAX;
	buf_init(&text, 8 * TEXT_MAX);
	if (mime_decode_part(&text, data, &front) && kind == HTML)
		put_html(w, text.data, text.len);
	else
		put_plain(w, text.data, text.len, false);
	if (w->n == 0 && kind == PLAIN)
		put_plain(w, text.data, text.len, true);
	buf_free(&text);
}

/* The first leaf of KIND that has words. A message in the message is another
 * one. */
static void walk(struct words *w, struct arena *a, const char *data,
		 const struct mime_part *part, enum kind kind)
{
	for (; part && w->n == 0; part = part->next) {
		if (part->kind == MIME_MULTIPART)
			walk(w, a, data, part->child, kind);
		else if (part->kind == MIME_LEAF &&
			 kind_of(a, data + part->header, part->nheader) == kind)
			put_leaf(w, data, part, kind);
	}
}

void mime_preview(struct buf *out, const char *data, size_t n)
{
	struct arena *a = arena_new();
	struct words w = { .out = out };
	const struct mime_part *root = mime_parse(a, data, n);

	walk(&w, a, data, root, PLAIN);
	walk(&w, a, data, root, HTML);
	arena_free(&a);
}
