#include "base/encode.h"

#include <stdint.h>
#include <string.h>

#include "base/str.h"

static const char base64[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void encode_base64(struct buf *out, const void *data, size_t n)
{
	const unsigned char *p = data;

	for (; n > 0; p += 3, n -= n < 3 ? n : 3) {
		uint32_t v = (uint32_t)p[0] << 16 |
			     (n > 1 ? (uint32_t)p[1] << 8 : 0) |
			     (n > 2 ? p[2] : 0);
		char quad[4] = { base64[v >> 18], base64[v >> 12 & 63],
				 n > 1 ? base64[v >> 6 & 63] : '=',
				 n > 2 ? base64[v & 63] : '=' };

		buf_put(out, quad, 4);
	}
}

static int base64_digit(char c)
{
	const char *p = c ? strchr(base64, c) : NULL;

	return p ? (int)(p - base64) : -1;
}

/* Four characters, of which the last PAD are '='. */
static bool decode_quad(struct buf *out, const char *text, size_t pad)
{
	uint32_t v = 0;
	char bytes[3];

	for (size_t i = 0; i < 4 - pad; i++) {
		int d = base64_digit(text[i]);

		if (d < 0)
			return false;
		v |= (uint32_t)d << (18 - 6 * i);
	}
	if ((pad == 1 && (v & 0xff)) || (pad == 2 && (v & 0xffff)))
		return false;
	bytes[0] = (char)(v >> 16);
	bytes[1] = (char)(v >> 8);
	bytes[2] = (char)v;
	buf_put(out, bytes, 3 - pad);
	return true;
}

bool decode_base64(struct buf *out, const char *text, size_t n)
{
	if (n % 4)
		return false;
	for (size_t i = 0; i < n; i += 4) {
		size_t pad = 0;

		if (i + 4 == n)
			pad = text[i + 3] != '='   ? 0
			      : text[i + 2] != '=' ? 1
						   : 2;
		if (!decode_quad(out, text + i, pad))
			return false;
	}
	return !out->over;
}

static const char hex[] = "0123456789abcdef";

static int hex_digit(int c)
{
	c = str_tolower(c);
	if (str_isdigit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void encode_hex(struct buf *out, const void *data, size_t n)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < n; i++) {
		buf_putc(out, hex[p[i] >> 4]);
		buf_putc(out, hex[p[i] & 15]);
	}
}

bool decode_hex(struct buf *out, const char *text, size_t n)
{
	if (n % 2)
		return false;
	for (size_t i = 0; i < n; i += 2) {
		int a = hex_digit(text[i]), b = hex_digit(text[i + 1]);

		if (a < 0 || b < 0)
			return false;
		buf_putc(out, (char)(a << 4 | b));
	}
	return !out->over;
}

static bool percent_plain(unsigned char c)
{
	return c > 0x20 && c != 0x7f && c != '%';
}

void encode_percent(struct buf *out, const void *data, size_t n)
{
	const unsigned char *p = data;
	size_t run;

	if (n == 0)
		buf_putc(out, '%');
	while (n > 0) {
		for (run = 0; run < n && percent_plain(p[run]); run++)
			;
		buf_put(out, p, run);
		p += run;
		n -= run;
		if (n == 0)
			return;
		buf_putc(out, '%');
		encode_hex(out, p, 1);
		p++;
		n--;
	}
}

bool decode_percent(struct buf *out, const char *text, size_t n)
{
	if (n == 1 && text[0] == '%')
		return true;
	while (n > 0) {
		if (*text == '%') {
			if (n < 3 || !decode_hex(out, text + 1, 2))
				return false;
			text += 3;
			n -= 3;
			continue;
		}
		if (!percent_plain((unsigned char)*text))
			return false;
		buf_putc(out, *text++);
		n--;
	}
	return !out->over;
}

/* The bytes from S that can be shown as they are. */
static size_t visible_run(const char *s, size_t n)
{
	size_t run = 0;

	while (run < n && str_isprint(s[run]) && s[run] != '\\')
		run++;
	return run;
}

static void put_octal(struct buf *out, unsigned char c)
{
	char text[4] = { '\\', (char)('0' + (c >> 6)),
			 (char)('0' + (c >> 3 & 7)), (char)('0' + (c & 7)) };

	buf_put(out, text, 4);
}

/* Characters that end a line or turn the direction of a text, so that it reads
 * as another one, or that nobody sees: C1 controls, marks, separators, tags. */
static const struct {
	uint32_t first, last;
} invisible[] = {
	{ 0x80, 0x9f },	    { 0xad, 0xad },	{ 0x61c, 0x61c },
	{ 0x180e, 0x180e }, { 0x200b, 0x200f }, { 0x2028, 0x202e },
	{ 0x2060, 0x206f }, { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb },
	{ 0xe0000, 0xe007f },
};

static bool is_invisible(uint32_t c)
{
	for (size_t i = 0; i < sizeof(invisible) / sizeof(*invisible); i++)
		if (c >= invisible[i].first && c <= invisible[i].last)
			return true;
	return false;
}

/* The length of a well-formed character beyond ASCII at S that can be seen, or
 * 0. */
static size_t wide_length(const char *s, size_t n)
{
	unsigned char first = (unsigned char)s[0];
	size_t i, len = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
	uint32_t c = first & (0x7fu >> len);

	if (first < 0xc2 || len > n || !str_is_utf8(s, len))
		return 0;
	for (i = 1; i < len; i++)
		c = c << 6 | ((unsigned char)s[i] & 0x3f);
	return is_invisible(c) ? 0 : len;
}

void encode_visible(struct buf *out, const char *data, size_t n)
{
	static const char names[] = "\nn\rr\tt\\\\";

	while (n > 0) {
		size_t len = visible_run(data, n);
		const char *name;

		if (len == 0)
			len = wide_length(data, n);
		if (len > 0) {
			buf_put(out, data, len);
			data += len;
			n -= len;
			continue;
		}
		name = *data ? strchr(names, *data) : NULL;
		if (name && (name - names) % 2 == 0) {
			buf_putc(out, '\\');
			buf_putc(out, name[1]);
		} else {
			put_octal(out, (unsigned char)*data);
		}
		data++;
		n--;
	}
}
