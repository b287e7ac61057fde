/*
 * Address lists of header fields (RFC 5322 section 3.4, with the obsolete
 * forms of section 4.4), read as people's programs write them: no list is
 * refused, and what makes no sense becomes the nearest thing that does.
 */
#include "mime/imap.h"

#include <string.h>

#include "mime/token.h"

#define TEXT_MAX 16384

/* Bytes that end a run of text in an address. */
static const char specials[] = "()<>@,;:\"";

struct parser {
	struct mime_scan s;
	struct buf *out;
	struct buf phrase;  /* words read, not yet known what they are */
	struct buf comment; /* the last one: an old way to give a name */
	struct buf route;
	struct buf local;
	struct buf domain;
	size_t count;
	bool group;
};

static void put_or_nil(struct buf *out, const struct buf *b)
{
	if (b->len == 0)
		buf_puts(out, "NIL");
	else
		imap_put_string(out, b->data, b->len);
}

static void open_list(struct parser *p)
{
	if (p->count++ == 0)
		buf_putc(p->out, '(');
}

/* A NIL host would mean a group, so a missing one is the empty string. */
static void put_address(struct parser *p)
{
	const struct buf *name = p->phrase.len ? &p->phrase : &p->comment;

	open_list(p);
	buf_putc(p->out, '(');
	put_or_nil(p->out, name);
	buf_putc(p->out, ' ');
	put_or_nil(p->out, &p->route);
	buf_putc(p->out, ' ');
	imap_put_string(p->out, p->local.data, p->local.len);
	buf_putc(p->out, ' ');
	imap_put_string(p->out, p->domain.data, p->domain.len);
	buf_putc(p->out, ')');
}

static void begin_group(struct parser *p)
{
	open_list(p);
	buf_puts(p->out, "(NIL NIL ");
	imap_put_string(p->out, p->phrase.data, p->phrase.len);
	buf_puts(p->out, " NIL)");
	p->group = true;
}

static void end_group(struct parser *p)
{
	if (p->group)
		buf_puts(p->out, "(NIL NIL NIL NIL)");
	p->group = false;
}

static void forget(struct parser *p)
{
	buf_reset(&p->phrase);
	buf_reset(&p->comment);
	buf_reset(&p->route);
	buf_reset(&p->local);
	buf_reset(&p->domain);
}

/* Words with one space between them; quoted ones without their quotes. */
static void scan_words(struct parser *p)
{
	struct buf *w = &p->phrase;
	size_t len;

	for (;;) {
		const char *before = p->s.p;

		mime_scan_blank(&p->s, &p->comment);
		len = w->len;
		if (len > 0 && p->s.p > before)
			buf_putc(w, ' ');
		if (mime_scan_quoted(&p->s, w) ||
		    mime_scan_run(&p->s, specials, w))
			continue;
		buf_truncate(w, len);
		return;
	}
}

/* The part before "@", and the host behind it: dots may have white space
 * around them, which is not part of the address. */
static void scan_pieces(struct parser *p, struct buf *out)
{
	do {
		mime_scan_blank(&p->s, &p->comment);
	} while (mime_scan_quoted(&p->s, out) ||
		 mime_scan_run(&p->s, specials, out));
}

/* After "<": [route ":"] local "@" domain ">". */
static void scan_angle(struct parser *p)
{
	mime_scan_blank(&p->s, NULL);
	while (p->s.p < p->s.end && *p->s.p == '@') {
		if (p->route.len > 0)
			buf_putc(&p->route, ',');
		buf_putc(&p->route, *p->s.p++);
		scan_pieces(p, &p->route);
		while (mime_scan_char(&p->s, ','))
			mime_scan_blank(&p->s, NULL);
		if (mime_scan_char(&p->s, ':'))
			break;
	}
	scan_pieces(p, &p->local);
	if (mime_scan_char(&p->s, '@'))
		scan_pieces(p, &p->domain);
	while (p->s.p < p->s.end && *p->s.p != '>' && *p->s.p != ',')
		p->s.p++;
	mime_scan_char(&p->s, '>');
	mime_scan_blank(&p->s, &p->comment);
}

/* The words read are the local part of an address without "<>". */
static void words_are_local(struct parser *p)
{
	buf_put(&p->local, p->phrase.data, p->phrase.len);
	buf_reset(&p->phrase);
}

/* One element of the list, up to its separator. */
static void scan_element(struct parser *p)
{
	forget(p);
	scan_words(p);
	if (mime_scan_char(&p->s, '<')) {
		scan_angle(p);
		put_address(p);
	} else if (mime_scan_char(&p->s, '@')) {
		words_are_local(p);
		scan_pieces(p, &p->domain);
		put_address(p);
	} else if (!p->group && mime_scan_char(&p->s, ':')) {
		begin_group(p);
	} else if (p->phrase.len > 0) {
		words_are_local(p);
		put_address(p);
	} else if (p->s.p < p->s.end && !strchr(",;", *p->s.p)) {
		p->s.p++;
	}
	mime_scan_blank(&p->s, NULL);
	while (p->s.p < p->s.end && strchr(",;", *p->s.p)) {
		if (*p->s.p++ == ';')
			end_group(p);
		mime_scan_blank(&p->s, NULL);
	}
}

void mime_addresses(struct buf *out, const char *value, size_t n)
{
	struct parser p = { .s = { value, value + n }, .out = out };
	struct buf *b[] = { &p.phrase, &p.comment, &p.route, &p.local,
			    &p.domain };
	size_t i;

	for (i = 0; i < sizeof(b) / sizeof(*b); i++)
		buf_init(b[i], TEXT_MAX);
	while (p.s.p < p.s.end && p.count < MIME_ADDRESSES_MAX)
		scan_element(&p);
	end_group(&p);
	buf_puts(out, p.count ? ")" : "NIL");
	for (i = 0; i < sizeof(b) / sizeof(*b); i++)
		buf_free(b[i]);
}
