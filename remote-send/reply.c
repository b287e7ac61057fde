#include "remote-send/reply.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/str.h"

/* One line without its end. */
struct line {
	const char *text;
	size_t n;
	int code;
	bool last;
};

/* "250-text" or "250 text" or "250"; false if it is none of them. */
static bool parse_line(struct line *l)
{
	const char *p = l->text;

	if (l->n > 0 && p[l->n - 1] == '\r')
		l->n--;
	if (l->n < 3 || p[0] < '2' || p[0] > '5' || !str_isdigit(p[1]) ||
	    !str_isdigit(p[2]))
		return false;
	l->code = (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
	l->last = l->n == 3 || p[3] == ' ';
	l->text += l->n > 3 ? 4 : 3;
	l->n -= l->n > 3 ? 4 : 3;
	return l->last || p[3] == '-';
}

static size_t digits(const char *p, size_t n, size_t max)
{
	size_t i = 0;

	while (i < n && i < max && str_isdigit(p[i]))
		i++;
	return i;
}

/* The length of an enhanced code at the start of the text (RFC 2034 section
 * 4), which must be of the reply's class; 0 if there is none. */
static size_t enhanced_length(const char *p, size_t n, int code)
{
	size_t a, b;

	if (n < 5 || p[0] != '0' + code / 100 || p[1] != '.')
		return 0;
	a = digits(p + 2, n - 2, 3);
	if (a == 0 || 2 + a >= n || p[2 + a] != '.')
		return 0;
	b = digits(p + 3 + a, n - 3 - a, 3);
	if (b == 0 || (3 + a + b < n && p[3 + a + b] != ' '))
		return 0;
	return 3 + a + b;
}

static void put_dsn(struct reply *r, const struct line *l)
{
	size_t n = enhanced_length(l->text, l->n, l->code);

	if (n > 0)
		snprintf(r->dsn, sizeof(r->dsn), "%.*s", (int)n, l->text);
	else
		snprintf(r->dsn, sizeof(r->dsn), "%c.0.0", '0' + l->code / 100);
}

/* Adds the line's text to what is kept, escaped. If an escape is cut off at
 * the end, no harm is done: only people read it. */
static void put_text(struct reply *r, const struct line *l)
{
	size_t have = strlen(r->text), n = l->n;
	struct buf b;

	if (n == 0 || have + 2 >= sizeof(r->text))
		return;
	if (n > sizeof(r->text))
		n = sizeof(r->text);
	buf_init(&b, 4 * sizeof(r->text) + 1);
	encode_visible(&b, l->text, n);
	snprintf(r->text + have, sizeof(r->text) - have, " %.*s",
		 (int)(sizeof(r->text) - have - 2), b.data);
	buf_free(&b);
}

enum reply_state reply_parse(const char *data, size_t n, size_t *used,
			     struct reply *r)
{
	const char *p = data, *end = data + n;
	bool first = true;

	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		struct line l = { .text = p };

		if (!lf)
			break;
		l.n = (size_t)(lf - p);
		if (!parse_line(&l))
			return REPLY_BAD;
		if (first)
			snprintf(r->text, sizeof(r->text), "%d", l.code);
		put_text(r, &l);
		p = lf + 1;
		first = false;
		if (!l.last)
			continue;
		/* if the code changes between lines, the last counts */
		r->code = l.code;
		put_dsn(r, &l);
		*used = (size_t)(p - data);
		return REPLY_DONE;
	}
	return n < REPLY_MAX ? REPLY_MORE : REPLY_BAD;
}
