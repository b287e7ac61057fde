#include "mime/decode.h"

#include <string.h>

#include "base/str.h"
#include "mime/field.h"

/* RFC 2047 section 2 says 75; programs exceed it, but not by much. The bound
 * keeps the time linear. */
#define WORD_MAX 4096
#define CHARSET_MAX 64

struct word {
	char charset[CHARSET_MAX];
	char encoding; /* 'b' or 'q' */
	const char *text;
	size_t ntext;
	const char *end; /* after "?=" */
};

static bool begins_word(const char *p, const char *end)
{
	return end - p >= 9 && p[0] == '=' && p[1] == '?';
}

/* Splits "=?charset*language?B?text?=" at P. */
static bool split_word(const char *p, const char *end, struct word *w)
{
	const char *q, *star;
	size_t n;

	if (end - p > WORD_MAX)
		end = p + WORD_MAX;
	if (!begins_word(p, end))
		return false;
	p += 2;
	q = memchr(p, '?', (size_t)(end - p));
	if (!q || q == p || end - q < 5 || q[2] != '?')
		return false;
	w->encoding = (char)str_tolower((unsigned char)q[1]);
	w->text = q + 3;
	w->end = memmem(w->text, (size_t)(end - w->text), "?=", 2);
	if (!w->end || (w->encoding != 'b' && w->encoding != 'q'))
		return false;
	w->ntext = (size_t)(w->end - w->text);
	w->end += 2;
	star = memchr(p, '*', (size_t)(q - p)); /* RFC 2231 section 5 */
	n = (size_t)((star ? star : q) - p);
	if (n >= CHARSET_MAX)
		return false;
	memcpy(w->charset, p, n);
	w->charset[n] = '\0';
	return true;
}

/* False: in a charset that cannot be converted. */
static bool put_word(struct buf *out, const struct word *w)
{
	struct buf b;
	bool known;

	buf_init(&b, WORD_MAX);
	if (w->encoding == 'b')
		mime_decode_base64(&b, w->text, w->ntext);
	else
		mime_decode_q(&b, w->text, w->ntext);
	known = mime_to_utf8(out, w->charset, b.data, b.len);
	buf_free(&b);
	return known;
}

/* The first byte from P on that is no white space. */
static const char *skip_blank(const char *p, const char *end)
{
	while (p < end && str_isspace((unsigned char)*p))
		p++;
	return p;
}

/* White space between two encoded words is not text (section 6.2). */
static bool put_words(struct buf *out, const char *p, const char *end,
		      bool *known)
{
	bool after_word = false, all = true;
	const char *start;
	struct word w;

	while (p < end) {
		start = skip_blank(p, end);
		if (split_word(start, end, &w)) {
			if (!after_word)
				buf_put(out, p, (size_t)(start - p));
			*known &= put_word(out, &w);
			all = all && !mime_charset_hides(w.charset) &&
			      !memmem(w.text, w.ntext, "=?", 2);
			after_word = true;
			p = w.end;
			continue;
		}
		after_word = false;
		if (end - start > WORD_MAX && begins_word(start, end))
			all = false;
		if (start < end)
			start++;
		while (start < end && !str_isspace((unsigned char)*start) &&
		       *start != '=')
			start++;
		buf_put(out, p, (size_t)(start - p));
		p = start;
	}
	return all;
}

bool mime_decode_words_known(struct buf *out, const char *value, size_t n,
			     bool *known)
{
	struct buf flat;
	bool all = true;

	buf_init(&flat, n + 1);
	mime_unfold(&flat, value, n);
	if (memmem(flat.data, flat.len, "=?", 2))
		all = put_words(out, flat.data, flat.data + flat.len,
				known);
	else
		buf_put(out, flat.data, flat.len);
	buf_free(&flat);
	return all;
}

static bool is_one_of(char c, const char *set)
{
	return c && strchr(set, c);
}

/* Does W, at P of VALUE … END, have nothing in it that an address could be
 * made of, and nothing glued to it? */
static bool stands_apart(const struct word *w, const char *p, const char *value,
			 const char *end)
{
	for (size_t i = 0; i < w->ntext; i++)
		if (is_one_of(w->text[i], "<>@()\",:; \t\r\n"))
			return false;
	return (p == value || is_one_of(p[-1], " \t\r\n\",:;(")) &&
	       (w->end == end || is_one_of(*w->end, " \t\r\n\",;)<"));
}

bool mime_words_apart(const char *value, size_t n)
{
	const char *p = value, *end = value + n;
	struct word w;

	while ((p = memmem(p, (size_t)(end - p), "=?", 2))) {
		if (!split_word(p, end, &w) || !stands_apart(&w, p, value, end))
			return false;
		p = w.end;
	}
	return true;
}

bool mime_decode_words(struct buf *out, const char *value, size_t n)
{
	bool known = true;

	return mime_decode_words_known(out, value, n, &known);
}
