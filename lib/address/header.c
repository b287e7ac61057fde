/*
 * Address lists in header fields. Each address is collected as text without
 * white space and comments, then parsed as for SMTP, so that a header never
 * gives an address that the envelope could not carry.
 */
#include "address/address.h"

#include <string.h>

#include "base/err.h"

struct scan {
	const char *p;
	const char *end;
	struct buf text; /* the address so far */
	bool gap;	 /* white space since its last word */
	bool word;	 /* its last token was a word */
	bool at;	 /* an @ is in it, outside < > and quotes */
	bool angle;	 /* within < > */
	bool closed;	 /* the address in < > is complete */
	bool phrase;	 /* words in a row: a name, not an address */
	bool bad;
	size_t max;
	struct strlist *out;
	int err;
};

static void start_over(struct scan *s)
{
	buf_reset(&s->text);
	s->gap = s->word = s->at = s->angle = s->closed = false;
	s->phrase = s->bad = false;
}

static void skip_comment(struct scan *s)
{
	size_t depth = 0;

	for (; s->p < s->end; s->p++) {
		if (*s->p == '\\' && s->p + 1 < s->end)
			s->p++;
		else if (*s->p == '(')
			depth++;
		else if (*s->p == ')' && --depth == 0)
			return;
	}
	s->bad = true;
}

/* Two words with only white space between are a name or a mistake. */
static void begin_word(struct scan *s)
{
	if (s->word && s->gap)
		s->phrase = true;
	s->word = true;
	s->gap = false;
	if (s->closed)
		s->bad = true;
}

/* Takes a quoted string with its quotes; a fold in it is white space. */
static void take_quoted(struct scan *s)
{
	begin_word(s);
	buf_putc(&s->text, *s->p);
	for (s->p++; s->p < s->end && *s->p != '"'; s->p++) {
		if (*s->p == '\r' || *s->p == '\n')
			continue;
		if (*s->p == '\\' && s->p + 1 < s->end)
			buf_putc(&s->text, *s->p++);
		buf_putc(&s->text, *s->p);
	}
	buf_putc(&s->text, '"');
	if (s->p >= s->end)
		s->bad = true;
}

/* "[192.0.2.1]" whole, since a colon may be in it. */
static void take_literal(struct scan *s)
{
	begin_word(s);
	while (s->p < s->end && *s->p != ']')
		buf_putc(&s->text, *s->p++);
	buf_putc(&s->text, ']');
}

static void take_special(struct scan *s, char c)
{
	s->word = s->gap = false;
	s->at |= c == '@' && !s->angle;
	if (s->closed)
		s->bad = true;
	buf_putc(&s->text, c);
}

static void open_angle(struct scan *s)
{
	if (s->angle || s->closed)
		s->bad = true;
	buf_reset(&s->text);
	s->angle = true;
	s->word = s->gap = s->phrase = false;
}

static void close_angle(struct scan *s)
{
	if (!s->angle)
		s->bad = true;
	s->angle = false;
	s->closed = true;
	s->word = s->gap = false;
}

/* Skips a source route in < >. */
static size_t route_size(const struct buf *text)
{
	const char *colon;

	if (text->len == 0 || text->data[0] != '@')
		return 0;
	colon = memchr(text->data, ':', text->len);
	return colon ? (size_t)(colon - text->data) + 1 : 0;
}

static void end_address(struct scan *s)
{
	char text[ADDRESS_TEXT_SIZE];
	struct address a;
	size_t route = route_size(&s->text);

	if (s->text.len == 0 && !s->bad && !s->angle)
		return;
	if (s->bad || s->angle || s->phrase || s->text.over ||
	    address_parse(s->text.data + route, s->text.len - route, &a))
		s->err = ERR_SYNTAX;
	else if (s->out->n < s->max)
		strlist_add(s->out, address_text(&a, text));
	else
		s->err = ERR_LIMIT;
}

/* A colon outside < > ends the name of a group (RFC 5322 section 3.4), in
 * which no address may get lost. */
static void take_colon(struct scan *s)
{
	if (s->angle) {
		buf_putc(&s->text, ':');
		return;
	}
	if (s->at || s->closed || s->bad)
		s->err = ERR_SYNTAX;
	start_over(s);
}

static void take_byte(struct scan *s)
{
	char c = *s->p;

	if (str_isspace(c)) {
		s->gap = true;
	} else if (c == '(') {
		skip_comment(s);
		s->gap = true;
	} else if (c == '"') {
		take_quoted(s);
	} else if (c == '[') {
		take_literal(s);
	} else if (c == '<') {
		open_angle(s);
	} else if (c == '>') {
		close_angle(s);
	} else if (c == ':') {
		take_colon(s);
	} else if (c == ';' || (c == ',' && !s->angle)) {
		end_address(s);
		start_over(s);
	} else if (c == '.' || c == '@' || c == ',') {
		take_special(s, c);
	} else {
		if (!s->word || s->gap)
			begin_word(s);
		buf_putc(&s->text, c);
	}
}

int address_header(const char *value, size_t n, size_t max, struct strlist *out)
{
	struct scan s = {
		.p = value, .end = value + n, .max = max, .out = out
	};

	buf_init(&s.text, 4 * ADDRESS_TEXT_SIZE);
	while (s.p < s.end && s.err != ERR_LIMIT) {
		take_byte(&s);
		s.p += s.p < s.end;
	}
	if (s.err != ERR_LIMIT)
		end_address(&s);
	buf_free(&s.text);
	return s.err;
}
