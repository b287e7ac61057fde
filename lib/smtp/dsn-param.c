#include "smtp/dsn-param.h"

#include <string.h>

#include "base/str.h"

#define UTF8_TYPE "utf-8"

static int digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, str_tolower(c)) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* The byte encoded at *P, which moves past it; -1 if it is invalid. */
static int take_byte(const char **p)
{
	int c = (unsigned char)*(*p)++, high, low;

	if (c != '+')
		return c == '=' ? -1 : c;
	high = digit((*p)[0]);
	low = high < 0 ? -1 : digit((*p)[1]);
	if (low < 0)
		return -1;
	*p += 2;
	return high * 16 + low;
}

bool smtp_xtext_decode(struct buf *out, const char *value)
{
	while (*value) {
		int c = take_byte(&value);

		if (!str_isprint(c))
			return false;
		buf_putc(out, (char)c);
	}
	return !out->over;
}

static void put_xtext(struct buf *out, const char *text)
{
	static const char hex[] = "0123456789ABCDEF";

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c > 32 && c < 127 && c != '+' && c != '=') {
			buf_putc(out, (char)c);
			continue;
		}
		buf_putc(out, '+');
		buf_putc(out, hex[c >> 4]);
		buf_putc(out, hex[c & 15]);
	}
}

/* UTF-8 of the code point C; invalid UTF-8 if that is not one. */
static void put_utf8(struct buf *out, unsigned c)
{
	unsigned lead = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
	static const unsigned char mark[] = { 0, 0xc0, 0xe0, 0xf0 };

	buf_putc(out, (char)(mark[lead] | c >> (6 * lead)));
	while (lead-- > 0)
		buf_putc(out, (char)(0x80 | (c >> (6 * lead) & 0x3f)));
}

/* The code point at *P of well-formed UTF-8; *P moves past it. */
static unsigned take_utf8(const char **p)
{
	unsigned c = (unsigned char)*(*p)++;

	if (c < 0x80)
		return c;
	c &= c >= 0xf0 ? 0x07 : c >= 0xe0 ? 0x0f : 0x1f;
	while (((unsigned char)**p & 0xc0) == 0x80)
		c = c << 6 | ((unsigned char)*(*p)++ & 0x3f);
	return c;
}

/* "{FC}" after the "\x" at *P; false if it is not that. */
static bool take_code_point(const char **p, unsigned *c)
{
	const char *q = *p + 1;
	int n = 0;

	*c = 0;
	for (; digit(*q) >= 0 && n < 6; n++)
		*c = *c * 16 + (unsigned)digit(*q++);
	if (**p != '{' || n == 0 || *q != '}' || *c > 0x10ffff)
		return false;
	*p = q + 1;
	return true;
}

/* The address of an original recipient of the type utf-8, in either form of
 * RFC 6533 section 3; xtext of its bytes is also accepted, since some clients
 * send that. */
static bool take_utf8_address(struct buf *out, const char *p, bool raw)
{
	while (*p) {
		bool coded = *p == '+';
		unsigned code;
		int c = take_byte(&p);

		if (c == '\\' && !coded) {
			if (*p++ != 'x' || !take_code_point(&p, &code))
				return false;
			put_utf8(out, code);
			continue;
		}
		if (c < 0x20 || (c >= 0x80 && !coded && !raw))
			return false;
		buf_putc(out, (char)c);
	}
	return !out->over;
}

static void put_utf8_address(struct buf *out, const char *p, bool raw)
{
	while (*p) {
		const char *from = p;
		unsigned c = take_utf8(&p);

		if (c < 0x80 ? c > 32 && !strchr("+=\\\x7f", (int)c) : raw)
			buf_put(out, from, (size_t)(p - from));
		else
			buf_printf(out, "\\x{%X}", c);
	}
}

static bool is_printable(const char *s)
{
	while (str_isprint((unsigned char)*s))
		s++;
	return !*s;
}

/* UTF-8 without control characters (including those of ISO 6429). */
static bool is_printable_utf8(const char *s)
{
	if (!str_is_utf8(s, strlen(s)))
		return false;
	while (*s) {
		unsigned c = take_utf8(&s);

		if (c < 0x20 || (c >= 0x7f && c < 0xa0))
			return false;
	}
	return true;
}

/* The ";" after the type, which is an atom (RFC 3461 section 4.2). NULL if it
 * is not. */
static const char *type_end(const char *s)
{
	static const char more[] = "!#$%&'*/?^_`{|}~-";
	const char *p = s;

	while (str_isalnum((unsigned char)*p) || (*p && strchr(more, *p)))
		p++;
	return p > s && *p == ';' ? p : NULL;
}

static bool is_utf8_type(const char *s, const char *end)
{
	return str_span_is(s, (size_t)(end - s), UTF8_TYPE);
}

bool smtp_envid_is_plain(const char *plain)
{
	size_t n = strlen(plain);

	return n > 0 && n <= SMTP_ENVID_MAX && is_printable(plain);
}

bool smtp_orcpt_is_plain(const char *plain)
{
	const char *end = type_end(plain);

	if (!end || !end[1] || strlen(plain) > SMTP_ORCPT_MAX)
		return false;
	return is_utf8_type(plain, end) ? is_printable_utf8(end + 1)
					: is_printable(end + 1);
}

bool smtp_envid_decode(struct buf *out, const char *value)
{
	size_t from = out->len;

	return smtp_xtext_decode(out, value) &&
	       smtp_envid_is_plain(out->data + from);
}

bool smtp_orcpt_decode(struct buf *out, const char *value, bool raw)
{
	const char *end = type_end(value);
	size_t from = out->len;
	bool good;

	if (!end)
		return false;
	buf_put(out, value, (size_t)(end + 1 - value));
	good = is_utf8_type(value, end) ? take_utf8_address(out, end + 1, raw)
					: smtp_xtext_decode(out, end + 1);
	return good && strlen(out->data + from) == out->len - from &&
	       smtp_orcpt_is_plain(out->data + from);
}

bool smtp_envid_encode(struct buf *out, const char *plain)
{
	if (!smtp_envid_is_plain(plain))
		return false;
	put_xtext(out, plain);
	return true;
}

bool smtp_orcpt_encode(struct buf *out, const char *plain, bool raw)
{
	const char *end = type_end(plain);

	if (!smtp_orcpt_is_plain(plain))
		return false;
	buf_put(out, plain, (size_t)(end + 1 - plain));
	if (is_utf8_type(plain, end))
		put_utf8_address(out, end + 1, raw);
	else
		put_xtext(out, end + 1);
	return true;
}
