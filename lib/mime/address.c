/*
 * An element of a list is read from left to right, without going back: words,
 * and then what follows says what they were: "<" a name, "@" a local part, ":"
 * the name of a group; otherwise one atom is an address without a domain, and
 * what cannot be an address is just a name.
 *
 * Anything is accepted. The parser also records how far the field was from the
 * grammar: `guessed` if it had to choose a meaning, `entangled` if < and > are
 * not a single pair at the end of an element, so that programs which look for
 * them differently find something else.
 */
#include "mime/address.h"

#include <string.h>

#include "base/str.h"
#include "mime/field.h"
#include "mime/token.h"

#define TEXT_MAX 16384

/* Bytes that end a run of text in an address. */
static const char specials[] = "()<>@,;:\"";

struct parser {
	struct mime_scan s;
	struct mime_address a;
	struct buf comment; /* the last one: an old way to give a name */
	mime_address_take *take;
	void *context;
	size_t count;
	bool group;
	bool guessed;
	bool angle; /* the element had its < > */
	bool entangled;
};

/* What a run of pieces was, for the grammar. */
struct shape {
	int pieces;
	int quoted;
	bool gaps;    /* white space or comments between pieces */
	bool strange; /* bytes that no atom has */
};

static void forget(struct parser *p)
{
	buf_reset(&p->a.name);
	buf_reset(&p->comment);
	buf_reset(&p->a.route);
	buf_reset(&p->a.local);
	buf_reset(&p->a.domain);
}

static void give(struct parser *p, enum mime_address_kind kind)
{
	p->a.kind = kind;
	p->count++;
	p->guessed |= p->a.name.over || p->a.local.over || p->a.domain.over ||
		      p->a.route.over;
	p->take(p->context, &p->a);
}

static void give_mailbox(struct parser *p)
{
	if (p->a.name.len == 0)
		buf_put(&p->a.name, p->comment.data, p->comment.len);
	give(p, MIME_MAILBOX);
}

static void end_group(struct parser *p)
{
	forget(p);
	if (p->group)
		give(p, MIME_GROUP_END);
	p->group = false;
}

/* Does the run P … END have bytes that are not allowed in an atom (RFC 5322
 * section 3.2.3)? The dot is allowed: names and addresses have it. */
static bool is_strange(const char *p, const char *end)
{
	for (; p < end; p++)
		if (*p == '[' || *p == ']' || *p == '\\')
			return true;
	return false;
}

/* Appends quoted strings and runs of text to OUT, up to something else; one
 * space for what is between them if SPACED, nothing otherwise. */
static struct shape scan_pieces(struct parser *p, struct buf *out, bool spaced)
{
	struct shape shape = { 0 };

	for (;;) {
		const char *before = p->s.p, *start;
		size_t len = out->len;

		mime_scan_blank(&p->s, &p->comment);
		start = p->s.p;
		if (spaced && shape.pieces > 0 && start > before)
			buf_putc(out, ' ');
		if (mime_scan_quoted(&p->s, out)) {
			shape.quoted++;
		} else if (mime_scan_run(&p->s, specials, out)) {
			shape.strange |= is_strange(start, p->s.p);
		} else {
			buf_truncate(out, len);
			return shape;
		}
		shape.gaps |= shape.pieces++ > 0 && start > before;
	}
}

/* One quoted string or one run of atoms and dots. */
static bool is_local(const struct shape *s)
{
	return s->pieces == 1 && !s->strange;
}

static bool is_domain_byte(unsigned char c)
{
	return str_isalnum(c) || c >= 0x80 || (c && strchr("-_.", c));
}

/* Labels with one dot between them. */
static bool is_name(const struct buf *b)
{
	char before = '.';

	for (size_t i = 0; i < b->len; i++) {
		if (!is_domain_byte((unsigned char)b->data[i]) ||
		    (b->data[i] == '.' && before == '.'))
			return false;
		before = b->data[i];
	}
	return before != '.';
}

/* A name, or a literal, in one piece. */
static bool is_domain(const struct shape *s, const struct buf *b)
{
	if (s->pieces != 1 || s->quoted)
		return false;
	if (b->data[0] == '[')
		return b->data[b->len - 1] == ']' &&
		       !strpbrk(b->data + 1, "[\\");
	return is_name(b);
}

/* After "@". A literal may hold colons. */
static void scan_domain(struct parser *p)
{
	struct buf *out = &p->a.domain;
	struct shape shape = scan_pieces(p, out, false);

	while (out->len > 0 && out->data[0] == '[' &&
	       !memchr(out->data, ']', out->len) &&
	       mime_scan_char(&p->s, ':')) {
		buf_putc(out, ':');
		scan_pieces(p, out, false);
	}
	if (!is_domain(&shape, out))
		p->guessed = true;
}

/* After "<": "@a,@b:", which is obsolete. */
static void scan_route(struct parser *p)
{
	struct buf *route = &p->a.route;

	mime_scan_blank(&p->s, NULL);
	while (p->s.p < p->s.end && *p->s.p == '@') {
		p->guessed = true;
		if (route->len > 0)
			buf_putc(route, ',');
		buf_putc(route, *p->s.p++);
		scan_pieces(p, route, false);
		while (mime_scan_char(&p->s, ','))
			mime_scan_blank(&p->s, NULL);
		if (mime_scan_char(&p->s, ':'))
			break;
	}
}

/* After "<": [route ":"] local "@" domain ">". */
static void scan_angle(struct parser *p)
{
	struct shape shape;

	scan_route(p);
	shape = scan_pieces(p, &p->a.local, false);
	p->guessed |= !is_local(&shape);
	if (mime_scan_char(&p->s, '@'))
		scan_domain(p);
	else
		p->guessed = true;
	p->angle = true;
	while (p->s.p < p->s.end && *p->s.p != '>' && *p->s.p != ',') {
		p->guessed = true;
		p->entangled |= *p->s.p++ == '<';
	}
	if (!mime_scan_char(&p->s, '>'))
		p->guessed = true;
	mime_scan_blank(&p->s, &p->comment);
}

/* The words read are the local part of an address without "<>". */
static void words_are_local(struct parser *p, const struct shape *words)
{
	if (!is_local(words))
		p->guessed = true;
	buf_put(&p->a.local, p->a.name.data, p->a.name.len);
	buf_reset(&p->a.name);
}

/* After an element: separators, the last a comma, or the end of the list. */
static void scan_separators(struct parser *p)
{
	char last = '\0';

	mime_scan_blank(&p->s, NULL);
	while (p->s.p < p->s.end && strchr(",;", *p->s.p)) {
		last = *p->s.p++;
		if (last == ';') {
			p->guessed |= !p->group;
			end_group(p);
		}
		mime_scan_blank(&p->s, NULL);
	}
	if (p->s.p == p->s.end || last == ',')
		return;
	p->guessed = true;
	p->entangled |= p->angle && !last;
}

/* Words, "@", and what follows up to a "<": an address as a name, for which
 * START … P stands. */
static void address_is_name(struct parser *p, const char *start)
{
	p->guessed = true;
	forget(p);
	mime_unfold(&p->a.name, start, (size_t)(p->s.p - start));
}

/* One element of the list, up to its separator. */
static void scan_element(struct parser *p)
{
	const char *start = p->s.p;
	struct shape words;

	forget(p);
	p->angle = false;
	words = scan_pieces(p, &p->a.name, true);
	if (mime_scan_char(&p->s, '<')) {
		p->guessed |= words.strange;
		scan_angle(p);
		give_mailbox(p);
	} else if (mime_scan_char(&p->s, '@')) {
		words_are_local(p, &words);
		scan_domain(p);
		if (p->s.p < p->s.end && *p->s.p == '<')
			address_is_name(p, start);
		if (mime_scan_char(&p->s, '<'))
			scan_angle(p);
		give_mailbox(p);
	} else if (!p->group && mime_scan_char(&p->s, ':')) {
		p->guessed |= words.pieces == 0 || words.strange;
		p->group = true;
		give(p, MIME_GROUP);
		mime_scan_blank(&p->s, NULL);
		if (p->s.p < p->s.end && !strchr(",;", *p->s.p))
			return;
	} else if (p->a.name.len > 0) {
		p->guessed = true;
		if (words.pieces == 1 && !words.quoted)
			words_are_local(p, &words);
		give_mailbox(p);
	} else if (p->s.p < p->s.end && !strchr(",;", *p->s.p)) {
		p->guessed = true;
		p->entangled |= *p->s.p++ == '>';
	}
	scan_separators(p);
}

enum mime_address_form mime_address_list(const char *value, size_t n,
					 size_t max, mime_address_take *take,
					 void *context)
{
	struct parser p = { .s = { .p = value, .end = value + n },
			    .take = take,
			    .context = context };
	struct buf *b[] = { &p.a.name, &p.a.route, &p.a.local, &p.a.domain,
			    &p.comment };

	for (size_t i = 0; i < sizeof(b) / sizeof(*b); i++)
		buf_init(b[i], TEXT_MAX);
	mime_scan_blank(&p.s, NULL);
	while (p.s.p < p.s.end && (!max || p.count < max))
		scan_element(&p);
	p.guessed |= p.s.broken || p.group || p.s.p < p.s.end;
	end_group(&p);
	for (size_t i = 0; i < sizeof(b) / sizeof(*b); i++)
		buf_free(b[i]);
	if (p.entangled)
		return MIME_ENTANGLED;
	return p.guessed ? MIME_GUESSED : MIME_BY_GRAMMAR;
}
