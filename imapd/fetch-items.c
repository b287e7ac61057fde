/*
 * What a FETCH asks for. Items are of three kinds, each with a table: a word
 * alone, a word with a section in brackets and perhaps a partial range, and the
 * old forms of RFC 822's names. All become bits and a list of sections in struct
 * fetch, which the answer is made from.
 */
#include "imapd/fetch.h"

#include <inttypes.h>
#include <string.h>

#include "base/str.h"
#include "imapd/enabled.h"
#include "imaptext/imaptext.h"

#define SECTIONS_MAX 1000 /* each may read the message */

#define FAST (FETCH_FLAGS | FETCH_INTERNALDATE | FETCH_SIZE)

static const struct {
	const char *name;
	unsigned what;
} plain[] = {
	{ "UID", FETCH_UID },
	{ "FLAGS", FETCH_FLAGS },
	{ "INTERNALDATE", FETCH_INTERNALDATE },
	{ "RFC822.SIZE", FETCH_SIZE },
	{ "ENVELOPE", FETCH_ENVELOPE },
	{ "BODY", FETCH_BODY },
	{ "BODYSTRUCTURE", FETCH_BODYSTRUCTURE },
	{ "MODSEQ", FETCH_MODSEQ },
	{ "FAST", FAST },
	{ "ALL", FAST | FETCH_ENVELOPE },
	{ "FULL", FAST | FETCH_ENVELOPE | FETCH_BODY },
	{ "SAVEDATE", FETCH_SAVEDATE },
	{ "EMAILID", FETCH_EMAILID },
	{ "THREADID", FETCH_THREADID },
};

/* What is followed by "[" section "]". */
static const struct {
	const char *name;
	const char *label;
	enum fetch_form form;
	bool peek;
} with_section[] = {
	{ "BODY[", "BODY[", FETCH_AS_IS, false },
	{ "BODY.PEEK[", "BODY[", FETCH_AS_IS, true },
	{ "BINARY[", "BINARY[", FETCH_DECODED, false },
	{ "BINARY.PEEK[", "BINARY[", FETCH_DECODED, true },
	{ "BINARY.SIZE[", "BINARY.SIZE[", FETCH_DECODED_SIZE, true },
};

/* Those with PEEK are from RFC 1730; Outlook still uses them. */
static const struct {
	const char *name;
	const char *label;
	enum imap_section_what what;
	bool peek;
} old_forms[] = {
	{ "RFC822", "RFC822", IMAP_SECTION_ALL, false },
	{ "RFC822.PEEK", "RFC822", IMAP_SECTION_ALL, true },
	{ "RFC822.HEADER", "RFC822.HEADER", IMAP_SECTION_HEADER, true },
	{ "RFC822.TEXT", "RFC822.TEXT", IMAP_SECTION_TEXT, false },
	{ "RFC822.TEXT.PEEK", "RFC822.TEXT", IMAP_SECTION_TEXT, true },
};

static bool parse_plain(const struct arg *a, struct fetch *f)
{
	size_t i;

	for (i = 0; i < sizeof(plain) / sizeof(*plain); i++)
		if (arg_is(a, plain[i].name)) {
			f->what |= plain[i].what;
			return true;
		}
	return false;
}

/* IMAP4rev2 does not have them. */
static bool parse_old_form(const struct session *s, const struct arg *a,
			   struct fetch *f)
{
	struct fetch_section *sec;
	size_t i;

	if (enabled(s, ENABLED_REV2))
		return false;
	for (i = 0; i < sizeof(old_forms) / sizeof(*old_forms); i++) {
		if (!arg_is(a, old_forms[i].name))
			continue;
		sec = &f->section[f->nsections++];
		sec->label = old_forms[i].label;
		sec->section.what = old_forms[i].what;
		f->set_seen |= !old_forms[i].peek;
		return true;
	}
	return false;
}

/* TEXT must be "<from.length>" or empty. */
static bool parse_partial(const struct session *s, const char *text,
			  struct fetch_section *sec)
{
	int64_t max = enabled(s, ENABLED_REV2) ? INT64_MAX : UINT32_MAX;
	const char *dot = strchr(text, '.'), *end = text + strlen(text);
	int64_t from, length;

	if (!*text)
		return true;
	if (!dot || *text != '<' || end[-1] != '>' || dot > end - 1 ||
	    !str_span_to_int(text + 1, (size_t)(dot - text) - 1, 0, max,
			     &from) ||
	    !str_span_to_int(dot + 1, (size_t)(end - dot) - 2, 1, max, &length))
		return false;
	sec->partial = true;
	sec->from = (uint64_t)from;
	sec->length = (uint64_t)length;
	return true;
}

static bool read_names(const struct arg *list, struct fetch_section *sec,
		       struct arena *arena)
{
	size_t n = args_count(list), i;

	sec->cached = sec->section.what == IMAP_SECTION_FIELDS;
	sec->names.item = arena_alloc(arena, (n + 1) * sizeof(char *));
	for (i = 0; i < n; i++) {
		if (!arg_astring(&list[i]))
			return false;
		sec->names.item[i] = arena_strdup(arena, list[i].s);
		sec->cached &= imap_is_cached_field(list[i].s, list[i].n);
	}
	sec->names.n = n;
	return n > 0;
}

static bool is_atom(const char *text)
{
	const char *p;

	for (p = text; *p; p++)
		if (!args_atom_byte(*p))
			return false;
	return p > text;
}

static void put_names(struct buf *b, const struct strlist *names)
{
	size_t i;

	for (i = 0; i < names->n; i++) {
		buf_puts(b, i == 0 ? " (" : " ");
		if (is_atom(names->item[i]))
			buf_puts(b, names->item[i]);
		else
			imap_put_string(b, names->item[i],
					strlen(names->item[i]));
	}
	if (names->n > 0)
		buf_putc(b, ')');
}

static void make_label(struct arena *arena, struct fetch_section *sec,
		       const char *name, const char *text, size_t n)
{
	struct buf b;
	size_t i;

	buf_init(&b, 1 << 20);
	buf_puts(&b, name);
	for (i = 0; i < n; i++)
		buf_putc(&b, (char)str_toupper((unsigned char)text[i]));
	put_names(&b, &sec->names);
	buf_putc(&b, ']');
	if (sec->partial)
		buf_printf(&b, "<%" PRIu64 ">", sec->from);
	sec->label = arena_strdup(arena, b.data);
	buf_free(&b);
}

/* Of BINARY only parts can be asked for, and no piece of a size. */
static bool form_allows(const struct fetch_section *sec)
{
	return sec->form == FETCH_AS_IS ||
	       (sec->section.what == IMAP_SECTION_ALL &&
		(sec->form == FETCH_DECODED || !sec->partial));
}

/* LABEL section "]" partial. A list of names makes it three arguments; *A is
 * left at the last one. */
static bool parse_section(struct session *s, const struct arg **a,
			  const char *label, struct fetch_section *sec)
{
	const char *text = strchr((*a)->s, '[') + 1, *close, *rest;
	size_t n;

	close = strchr(text, ']');
	n = close ? (size_t)(close - text) : strlen(text);
	if (!imap_section_parse(text, n, &sec->section))
		return false;
	rest = close ? close + 1 : NULL;
	if (sec->section.what == IMAP_SECTION_FIELDS ||
	    sec->section.what == IMAP_SECTION_FIELDS_NOT) {
		if (close || (*a)[1].type != ARG_LIST ||
		    (*a)[2].type != ARG_ATOM || (*a)[2].s[0] != ']' ||
		    !read_names((*a)[1].list, sec, s->c.arena))
			return false;
		*a += 2;
		rest = (*a)->s + 1;
	}
	if (!rest || !parse_partial(s, rest, sec) || !form_allows(sec))
		return false;
	make_label(s->c.arena, sec, label, text, n);
	return true;
}

/* "PREVIEW", perhaps followed by "(LAZY)" (RFC 8970). */
static bool parse_preview(const struct arg **a, struct fetch *f)
{
	const struct arg *option = &(*a)[1];

	if (!arg_is(*a, "PREVIEW"))
		return false;
	f->what |= FETCH_PREVIEW;
	if (option->type != ARG_LIST || !arg_is(&option->list[0], "LAZY") ||
	    option->list[1].type != ARG_END)
		return true;
	f->what |= FETCH_LAZY;
	(*a)++;
	return true;
}

static bool parse_item(struct session *s, const struct arg **a, struct fetch *f)
{
	if ((*a)->type != ARG_ATOM)
		return false;
	if (parse_plain(*a, f) || parse_old_form(s, *a, f) ||
	    parse_preview(a, f))
		return true;
	for (size_t i = 0; i < sizeof(with_section) / sizeof(*with_section);
	     i++) {
		struct fetch_section *sec = &f->section[f->nsections];

		if (!str_starts_ci((*a)->s, with_section[i].name))
			continue;
		f->nsections++;
		f->set_seen |= !with_section[i].peek;
		sec->form = with_section[i].form;
		return parse_section(s, a, with_section[i].label, sec);
	}
	return false;
}

/* "(CHANGEDSINCE n VANISHED PARTIAL m:n)", in any order (RFC 7162, 9394). Some
 * clients send a 0, which the grammar does not have. */
static bool parse_modifiers(const struct arg *a, struct fetch *f)
{
	if (a->type == ARG_END)
		return false;
	for (; a->type != ARG_END; a++) {
		if (arg_is(a, "CHANGEDSINCE") && !f->changed &&
		    arg_number(&a[1], 0, &f->changed_since)) {
			f->changed = true;
			a++;
		} else if (arg_is(a, "VANISHED") && !f->vanished) {
			f->vanished = true;
		} else if (arg_is(a, "PARTIAL") && !f->part.text &&
			   range_parse(&a[1], &f->part)) {
			a++;
		} else {
			return false;
		}
	}
	if (f->changed)
		f->what |= FETCH_MODSEQ;
	return f->changed || !f->vanished;
}

/* The items at *A up to the end, or to a list. */
static const char *parse_items(struct session *s, const struct arg **a,
			       struct fetch *f)
{
	const struct arg *first = *a;

	f->section = arena_alloc(s->c.arena,
				 (args_count(first) + 1) * sizeof(*f->section));
	for (; (*a)->type != ARG_END && (*a)->type != ARG_LIST; (*a)++)
		if (!parse_item(s, a, f))
			return "Invalid fetch item.";
	if (f->nsections > SECTIONS_MAX)
		return "Too many sections.";
	return *a == first ? "Nothing to fetch." : NULL;
}

const char *fetch_parse(struct session *s, const struct arg *a,
			struct fetch *f)
{
	const struct arg *item = a->type == ARG_LIST ? a->list : a;
	const char *why;

	memset(f, 0, sizeof(*f));
	why = parse_items(s, &item, f);
	if (why)
		return why;
	if (a->type != ARG_LIST)
		a = item;
	else if (item->type == ARG_END)
		a++;
	if (a->type == ARG_LIST && !parse_modifiers((a++)->list, f))
		return "Invalid fetch modifier.";
	return a->type == ARG_END ? NULL : "Unexpected argument.";
}
