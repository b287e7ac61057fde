#include "mime/decode.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "mime/field.h"
#include "mime/param.h"

#define TEXT_MAX (64 << 20)
#define NAME_MAX_BYTES 65536 /* of a file's name */

/* The value of each base64 digit and one more; 0: no digit. */
static const unsigned char digit[256] = {
	['A'] = 1,  ['B'] = 2,	['C'] = 3,  ['D'] = 4,	['E'] = 5,  ['F'] = 6,
	['G'] = 7,  ['H'] = 8,	['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12,
	['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18,
	['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
	['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30,
	['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36,
	['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42,
	['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
	['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54,
	['2'] = 55, ['3'] = 56, ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60,
	['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
};

void mime_decode_base64(struct buf *out, const char *data, size_t n)
{
	char *to = buf_room(out, n / 4 * 3 + 3), *start = to;
	unsigned bits = 0, have = 0;
	size_t i;

	if (!to)
		return;
	for (i = 0; i < n; i++) {
		int v = digit[(unsigned char)data[i]] - 1;

		if (data[i] == '=')
			bits = have = 0; /* the end; some join two of them */
		if (v < 0)
			continue;
		bits = bits << 6 | (unsigned)v;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		*to++ = (char)(bits >> have);
	}
	buf_added(out, (size_t)(to - start));
}

static int hex_value(int c)
{
	if (str_isdigit(c))
		return c - '0';
	c = str_tolower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that "=XX" at P stands for, or -1. */
static int hex_byte(const char *p, const char *end)
{
	int high, low;

	if (end - p < 3)
		return -1;
	high = hex_value((unsigned char)p[1]);
	low = hex_value((unsigned char)p[2]);
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* After a soft line end "=" blanks LF: the byte after it, else NULL. */
static const char *soft_end(const char *p, const char *end)
{
	for (p++; p < end && *p != '\n'; p++)
		if (!str_isspace((unsigned char)*p))
			return NULL;
	return p < end ? p + 1 : p;
}

/* What lies there as it is, but each '_' as UNDERSCORE. */
static void put_literal(struct buf *out, const char *p, size_t n,
			char underscore)
{
	size_t at = out->len;

	buf_put(out, p, n);
	for (; underscore != '_' && at < out->len; at++)
		if (out->data[at] == '_')
			out->data[at] = underscore;
}

static void decode_quoted(struct buf *out, const char *data, size_t n,
			  char underscore)
{
	const char *p = data, *end = data + n, *eq, *next;
	int byte;

	while (p < end) {
		eq = memchr(p, '=', (size_t)(end - p));
		if (!eq)
			eq = end;
		put_literal(out, p, (size_t)(eq - p), underscore);
		if (eq == end)
			return;
		byte = hex_byte(eq, end);
		next = byte < 0 ? soft_end(eq, end) : eq + 3;
		if (byte >= 0 || !next)
			buf_putc(out, byte < 0 ? '=' : (char)byte);
		p = next ? next : eq + 1;
	}
}

void mime_decode_qp(struct buf *out, const char *data, size_t n)
{
	decode_quoted(out, data, n, '_');
}

void mime_decode_q(struct buf *out, const char *data, size_t n)
{
	decode_quoted(out, data, n, ' ');
}

/* The content of the body BODY, N: as it lies there, or decoded into RAW. */
static void undo_encoding(struct buf *raw, struct arena *a, const char *header,
			  size_t nheader, const char **body, size_t *n)
{
	const char *encoding = mime_encoding(a, header, nheader);

	if (str_equal_ci(encoding, "base64"))
		mime_decode_base64(raw, *body, *n);
	else if (str_equal_ci(encoding, "quoted-printable"))
		mime_decode_qp(raw, *body, *n);
	else
		return;
	*body = raw->data;
	*n = raw->len;
}

/* Is the part text, and in which charset? */
static bool text_charset(struct arena *a, const char *header, size_t n,
			 const char **charset)
{
	struct mime_field f;
	struct mime_value v;
	const char *named;

	*charset = "UTF-8";
	if (!mime_field_find(header, n, "Content-Type", &f) ||
	    !mime_value_parse(a, &f, true, &v))
		return true;
	named = mime_value_text(a, &v, "charset");
	if (named)
		*charset = named;
	return str_equal_ci(v.type, "text") || str_equal_ci(v.type, "message");
}

bool mime_part_text(struct buf *work, const char *data,
		    const struct mime_part *part, const char **text, size_t *n,
		    bool *known)
{
	const char *header = data + part->header, *charset;
	struct arena *a = arena_new();
	struct buf raw;
	bool is_text = part->kind == MIME_LEAF &&
		       text_charset(a, header, part->nheader, &charset);

	if (is_text) {
		buf_init(&raw, TEXT_MAX);
		*text = data + part->body;
		*n = part->nbody;
		undo_encoding(&raw, a, header, part->nheader, text, n);
		if (*text == raw.data || !mime_is_utf8(charset, *text, *n)) {
			*known &= mime_to_utf8(work, charset, *text, *n);
			*text = work->data;
			*n = work->len;
		}
		buf_free(&raw);
	}
	arena_free(&a);
	return is_text;
}

/* The parameter PARAM of V, its encoded words decoded; NULL. */
static const char *file_name(struct arena *a, const struct mime_value *v,
			     const char *param)
{
	const char *name = mime_value_text(a, v, param);
	struct buf b;

	if (!name)
		return NULL;
	buf_init(&b, NAME_MAX_BYTES);
	mime_decode_words(&b, name, strlen(name));
	name = arena_strndup(a, b.data, b.len);
	buf_free(&b);
	return name;
}

bool mime_attached(struct arena *a, const char *data,
		   const struct mime_part *part, const char **type,
		   const char **name)
{
	const char *header = data + part->header, *charset;
	struct mime_value v, disposition;
	struct mime_field f;

	if (part->kind != MIME_LEAF ||
	    text_charset(a, header, part->nheader, &charset) ||
	    !mime_field_find(header, part->nheader, "Content-Type", &f) ||
	    !mime_value_parse(a, &f, true, &v))
		return false;
	*type = arena_printf(a, "%s/%s", v.type, v.subtype);
	*name = NULL;
	if (mime_field_find(header, part->nheader, "Content-Disposition", &f) &&
	    mime_value_parse(a, &f, false, &disposition))
		*name = file_name(a, &disposition, "filename");
	if (!*name)
		*name = file_name(a, &v, "name");
	return true;
}

void mime_part_content(struct buf *work, const char *data,
		       const struct mime_part *part, const char **content,
		       size_t *n)
{
	struct arena *a = arena_new();

	*content = data + part->body;
	*n = part->nbody;
	undo_encoding(work, a, data + part->header, part->nheader, content, n);
	arena_free(&a);
}

bool mime_decode_part(struct buf *out, const char *data,
		      const struct mime_part *part)
{
	struct buf work;
	const char *text;
	size_t n;
	bool is_text, known = true;

	buf_init(&work, out->max);
	is_text = mime_part_text(&work, data, part, &text, &n, &known);
	if (is_text)
		buf_put(out, text, n);
	buf_free(&work);
	return is_text;
}
