#include "mailbox/mutf7.h"

#include <string.h>

static const char alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/* Decodes the code point at *S, which is well-formed UTF-8. */
static uint32_t next_point(const char **s)
{
	const unsigned char *p = (const unsigned char *)*s;
	int more = *p < 0x80 ? 0 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : 3;
	uint32_t c = more == 0 ? *p : *p & (0x3fu >> more);

	for (*s += more + 1; more > 0; more--)
		c = c << 6 | (*++p & 0x3f);
	return c;
}

struct encoder {
	char *out;
	size_t size;
	size_t n;
	uint32_t bits;
	unsigned nbits;
	bool shifted;
};

static void put(struct encoder *e, char c)
{
	if (e->n < e->size)
		e->out[e->n] = c;
	e->n++;
}

static void put_unit(struct encoder *e, uint32_t unit)
{
	if (!e->shifted)
		put(e, '&');
	e->shifted = true;
	e->bits = e->bits << 16 | unit;
	e->nbits += 16;
	for (; e->nbits >= 6; e->nbits -= 6)
		put(e, alphabet[e->bits >> (e->nbits - 6) & 63]);
}

static void end_shift(struct encoder *e)
{
	if (!e->shifted)
		return;
	if (e->nbits > 0)
		put(e, alphabet[e->bits << (6 - e->nbits) & 63]);
	put(e, '-');
	e->shifted = false;
	e->nbits = 0;
}

static void put_point(struct encoder *e, uint32_t c, bool disk)
{
	if (c >= 0x10000) {
		put_unit(e, 0xd800 + ((c - 0x10000) >> 10));
		put_unit(e, 0xdc00 + ((c - 0x10000) & 0x3ff));
	} else if (c < 0x20 || c > 0x7e || (disk && c == '.')) {
		put_unit(e, c);
	} else {
		end_shift(e);
		put(e, disk && c == '/' ? '.' : (char)c);
		if (c == '&')
			put(e, '-');
	}
}

bool mutf7_encode(const char *utf8, char *out, size_t size, bool disk)
{
	struct encoder e = { .out = out, .size = size };

	while (*utf8)
		put_point(&e, next_point(&utf8), disk);
	end_shift(&e);
	put(&e, '\0');
	if (e.n <= size)
		return true;
	out[0] = '\0';
	return false;
}

static bool put_utf8(struct encoder *e, uint32_t c)
{
	if (c == 0)
		return false;
	if (c < 0x80) {
		put(e, (char)c);
	} else if (c < 0x800) {
		put(e, (char)(0xc0 | c >> 6));
		put(e, (char)(0x80 | (c & 63)));
	} else if (c < 0x10000) {
		put(e, (char)(0xe0 | c >> 12));
		put(e, (char)(0x80 | (c >> 6 & 63)));
		put(e, (char)(0x80 | (c & 63)));
	} else {
		put(e, (char)(0xf0 | c >> 18));
		put(e, (char)(0x80 | (c >> 12 & 63)));
		put(e, (char)(0x80 | (c >> 6 & 63)));
		put(e, (char)(0x80 | (c & 63)));
	}
	return true;
}

/* Decodes the text between '&' and '-': *S is after '&', and is left after '-'.
 * Surrogates come in pairs. */
static bool decode_shift(struct encoder *e, const char **s)
{
	uint32_t bits = 0, high = 0;
	unsigned nbits = 0;
	const char *at;

	for (; **s != '-'; (*s)++) {
		uint32_t unit;

		if (**s == '\0' || !(at = strchr(alphabet, **s)))
			return false;
		bits = bits << 6 | (uint32_t)(at - alphabet);
		nbits += 6;
		if (nbits < 16)
			continue;
		nbits -= 16;
		unit = bits >> nbits & 0xffff;
		if (high) {
			if (unit < 0xdc00 || unit > 0xdfff)
				return false;
			unit = 0x10000 + ((high - 0xd800) << 10) +
			       (unit - 0xdc00);
			high = 0;
		} else if (unit >= 0xd800 && unit <= 0xdbff) {
			high = unit;
			continue;
		} else if (unit >= 0xdc00 && unit <= 0xdfff) {
			return false;
		}
		if (!put_utf8(e, unit))
			return false;
	}
	(*s)++;
	return high == 0;
}

bool mutf7_decode(const char *text, char *out, size_t size, bool disk)
{
	struct encoder e = { .out = out, .size = size };
	bool good = size > 0;

	while (good && *text) {
		unsigned char c = (unsigned char)*text++;

		if (c < 0x20 || c > 0x7e)
			good = false;
		else if (c != '&')
			put(&e, disk && c == '.' ? '/' : (char)c);
		else if (*text == '-')
			put(&e, *text++ ? '&' : 0);
		else
			good = decode_shift(&e, &text);
	}
	put(&e, '\0');
	if (good && e.n <= size)
		return true;
	if (size > 0)
		out[0] = '\0';
	return false;
}
