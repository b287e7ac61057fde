#include "mime/param.h"

#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/str.h"
#include "mime/token.h"

/* tspecials of RFC 2045, without those that real mail has in bare values */
static const char specials[] = "()<>@,;:\\\"/[]?=";
static const char value_specials[] = "();\"";

#define VALUE_MAX 8192
#define NAME_ROOM 64 /* for a name of ours, with a number */

static const char *keep(struct arena *a, struct buf *b)
{
	const char *s = arena_strndup(a, b->data, b->len);

	buf_reset(b);
	return s;
}

/* "; name=value": false where the list ends. */
static bool scan_param(struct arena *a, struct mime_scan *s, struct buf *b,
		       struct mime_value *v)
{
	const char *name;

	mime_scan_blank(s, NULL);
	if (!mime_scan_char(s, ';'))
		return false;
	mime_scan_blank(s, NULL);
	if (!mime_scan_run(s, specials, b))
		return s->p < s->end && *s->p == ';';
	name = keep(a, b);
	mime_scan_blank(s, NULL);
	if (!mime_scan_char(s, '='))
		return true;
	mime_scan_blank(s, NULL);
	if (!mime_scan_quoted(s, b))
		mime_scan_run(s, value_specials, b);
	v->param[v->nparams].name = name;
	v->param[v->nparams++].value = keep(a, b);
	return true;
}

static bool scan_value(struct arena *a, struct mime_scan *s, bool slash,
		       struct buf *b, struct mime_value *v)
{
	mime_scan_blank(s, NULL);
	if (!mime_scan_run(s, specials, b))
		return false;
	v->type = keep(a, b);
	mime_scan_blank(s, NULL);
	if (slash) {
		if (!mime_scan_char(s, '/'))
			return false;
		mime_scan_blank(s, NULL);
		if (!mime_scan_run(s, specials, b))
			return false;
		v->subtype = keep(a, b);
	}
	while (v->nparams < MIME_PARAMS_MAX && scan_param(a, s, b, v))
		;
	return true;
}

bool mime_value_parse(struct arena *a, const struct mime_field *f, bool slash,
		      struct mime_value *v)
{
	struct mime_scan s = { .p = f->value, .end = f->value + f->nvalue };
	struct buf b;
	bool good;

	v->type = v->subtype = NULL;
	v->nparams = 0;
	buf_init(&b, VALUE_MAX);
	good = scan_value(a, &s, slash, &b, v);
	buf_free(&b);
	return good;
}

/* The value as written, or NULL. */
static const char *value_as_written(const struct mime_value *v, const char *name)
{
	size_t i;

	for (i = 0; i < v->nparams; i++)
		if (str_equal_ci(v->param[i].name, name))
			return v->param[i].value;
	return NULL;
}

/* Appends the encoded TEXT to OUT: %41 is "A". Invalid codes, and that of NUL,
 * stay as they are. */
static void put_decoded(struct buf *out, const char *text)
{
	const char *code;
	size_t before;

	while ((code = strchr(text, '%')) != NULL) {
		buf_put(out, text, (size_t)(code - text));
		before = out->len;
		text = code + 1;
		if (text[0] && text[1] && decode_hex(out, text, 2) &&
		    out->data[before]) {
			text += 2;
			continue;
		}
		buf_truncate(out, before);
		buf_putc(out, '%');
	}
	buf_puts(out, text);
}

/* After "charset'language'", if there is one. */
static const char *behind_charset(const char *text)
{
	const char *first = strchr(text, '\'');
	const char *second = first ? strchr(first + 1, '\'') : NULL;

	return second ? second + 1 : text;
}

/* Appends the parameter NAME, or NAME* decoded, which may begin with a charset
 * if it is the FIRST piece. False if there is neither. */
static bool put_piece(const struct mime_value *v, const char *name, bool first,
		      struct buf *out)
{
	char encoded[NAME_ROOM];
	const char *text = value_as_written(v, name);

	if (text) {
		buf_puts(out, text);
		return true;
	}
	snprintf(encoded, sizeof(encoded), "%s*", name);
	text = value_as_written(v, encoded);
	if (text)
		put_decoded(out, first ? behind_charset(text) : text);
	return text != NULL;
}

/* NAME*0 and so on, until one is missing. */
static bool put_pieces(const struct mime_value *v, const char *name,
		       struct buf *out)
{
	char piece[NAME_ROOM];
	unsigned i = 0;

	do
		snprintf(piece, sizeof(piece), "%s*%u", name, i);
	while (put_piece(v, piece, i == 0, out) && ++i);
	return i > 0;
}

const char *mime_value_text(struct arena *a, const struct mime_value *v,
			    const char *name)
{
	struct buf b;
	const char *s = NULL;

	buf_init(&b, VALUE_MAX);
	if (put_piece(v, name, true, &b) || put_pieces(v, name, &b))
		s = keep(a, &b);
	buf_free(&b);
	return s;
}

/* Removes blanks from TEXT if that makes it an encoding ("7 bit"). */
static const char *without_blanks(const char *text, size_t n)
{
	static const char *const known[] = { "7bit", "8bit", "binary", "base64",
					     "quoted-printable" };
	struct mime_scan s = { .p = text, .end = text + n };
	const char *found = NULL;
	struct buf b;

	buf_init(&b, VALUE_MAX);
	do
		mime_scan_blank(&s, NULL);
	while (mime_scan_run(&s, specials, &b));
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (str_equal_ci(b.data, known[i]))
			found = known[i];
	buf_free(&b);
	return found;
}

const char *mime_encoding(struct arena *a, const char *header, size_t n)
{
	struct mime_field f;
	struct mime_value v;
	const char *known;

	if (!mime_field_find(header, n, "Content-Transfer-Encoding", &f) ||
	    !mime_value_parse(a, &f, false, &v))
		return "7bit";
	known = without_blanks(f.value, f.nvalue);
	return known && !str_equal_ci(known, v.type) ? known : v.type;
}
