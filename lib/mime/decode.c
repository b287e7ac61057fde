#include "mime/decode.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "mime/field.h"
#include "mime/param.h"

#define TEXT_MAX (64 << 20)

static int base64_value(int c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

void mime_decode_base64(struct buf *out, const char *data, size_t n)
{
	char *to = buf_room(out, n / 4 * 3 + 3), *start = to;
	unsigned bits = 0, have = 0;
	size_t i;

	if (!to)
		return;
	for (i = 0; i < n; i++) {
		int v = base64_value((unsigned char)data[i]);

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

void mime_decode_qp(struct buf *out, const char *data, size_t n)
{
	const char *p = data, *end = data + n, *eq, *next;
	int byte;

	while (p < end) {
		eq = memchr(p, '=', (size_t)(end - p));
		if (!eq)
			eq = end;
		buf_put(out, p, (size_t)(eq - p));
		if (eq == end)
			return;
		byte = hex_byte(eq, end);
		next = byte < 0 ? soft_end(eq, end) : eq + 3;
		if (byte >= 0 || !next)
			buf_putc(out, byte < 0 ? '=' : (char)byte);
		p = next ? next : eq + 1;
	}
}

static void undo_encoding(struct buf *out, const char *header, size_t nheader,
			  struct arena *a, const char *body, size_t n)
{
	const char *encoding = mime_encoding(a, header, nheader);

	if (str_equal_ci(encoding, "base64"))
		mime_decode_base64(out, body, n);
	else if (str_equal_ci(encoding, "quoted-printable"))
		mime_decode_qp(out, body, n);
	else
		buf_put(out, body, n);
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

bool mime_decode_part(struct buf *out, const char *data,
		      const struct mime_part *part)
{
	const char *header = data + part->header, *charset;
	struct arena *a = arena_new();
	struct buf raw;
	bool text;

	text = part->kind == MIME_LEAF &&
	       text_charset(a, header, part->nheader, &charset);
	if (text) {
		buf_init(&raw, TEXT_MAX);
		undo_encoding(&raw, header, part->nheader, a, data + part->body,
			      part->nbody);
		mime_to_utf8(out, charset, raw.data, raw.len);
		buf_free(&raw);
	}
	arena_free(&a);
	return text;
}
