/*
 * Folder names: UTF-8 in memory, modified UTF-7 (RFC 3501 section 5.1.3) on
 * disk and on the wire. On disk '/' is '.', and '.' is "&AC4-".
 */
#include <stdlib.h>
#include <string.h>
#include <uninorm.h>

#include "base/err.h"
#include "base/str.h"
#include "mailbox/private.h"

#define INBOX "INBOX"

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

static bool encode(const char *utf8, char *out, size_t size, bool disk)
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

static bool decode(const char *text, char *out, size_t size, bool disk)
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

bool store_name_to_mutf7(const char *utf8, char *out, size_t size)
{
	if (size == 0)
		return false;
	out[0] = '\0';
	return str_is_utf8(utf8, strlen(utf8)) &&
	       encode(utf8, out, size, false);
}

/* Is the first level INBOX, however it is spelt? */
static bool begins_with_inbox(const char *name)
{
	size_t n = strlen(INBOX);

	return str_starts_ci(name, INBOX) &&
	       (name[n] == '\0' || name[n] == '/');
}

bool store_name_from_mutf7(const char *mutf7, char *out, size_t size)
{
	char again[4096];

	/* Only the one right spelling: else one folder would have two names. */
	if (!decode(mutf7, out, size, false))
		return false;
	if (!encode(out, again, sizeof(again), false) ||
	    strcmp(again, mutf7) != 0) {
		out[0] = '\0';
		return false;
	}
	if (begins_with_inbox(out))
		memcpy(out, INBOX, strlen(INBOX));
	return true;
}

/* Is a character that ends lines, or controls something, at P? */
static bool is_control(const char *p)
{
	const unsigned char *c = (const unsigned char *)p;

	return c[0] < 0x20 || c[0] == 0x7f || (c[0] == 0xc2 && c[1] < 0xa0) ||
	       (c[0] == 0xe2 && c[1] == 0x80 && (c[2] | 1) == 0xa9);
}

bool store_name_from_utf8(const char *utf8, char *out, size_t size)
{
	size_t i, n = strlen(utf8);

	if (size == 0)
		return false;
	out[0] = '\0';
	if (n >= size || !str_is_utf8(utf8, n))
		return false;
	for (i = 0; i < n; i++)
		if (is_control(utf8 + i))
			return false;
	memcpy(out, utf8, n + 1);
	if (begins_with_inbox(out))
		memcpy(out, INBOX, strlen(INBOX));
	return true;
}

bool store_name_to_nfc(const char *utf8, char *out, size_t size)
{
	size_t n = strlen(utf8), made = size;
	uint8_t *nfc;

	if (!str_is_utf8(utf8, n))
		return false;
	nfc = u8_normalize(UNINORM_NFC, (const uint8_t *)utf8, n,
			   (uint8_t *)out, &made);
	if (nfc != (uint8_t *)out) {
		free(nfc); /* NULL, or more than SIZE */
		return n == 0 && size > 0 && !(*out = '\0');
	}
	if (made >= size)
		return false;
	out[made] = '\0';
	return true;
}

int store_check_name(const char *name)
{
	char disk[DISK_NAME_SIZE];

	return disk_name(name, disk);
}

int disk_name(const char *name, char out[DISK_NAME_SIZE])
{
	size_t n = strlen(name);
	const char *p;

	if (str_equal_ci(name, INBOX)) {
		strcpy(out, ".");
		return ERR_OK;
	}
	if (n == 0 || !str_is_utf8(name, n) || name[0] == '/' ||
	    name[n - 1] == '/' || strstr(name, "//"))
		return ERR_SYNTAX;
	for (p = name; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return ERR_SYNTAX;
	out[0] = '.';
	if (!encode(name, out + 1, STORE_NAME_MAX, true))
		return ERR_TOO_LONG;
	if (begins_with_inbox(name))
		memcpy(out + 1, INBOX, strlen(INBOX));
	return ERR_OK;
}

bool disk_name_read(const char *disk, char *out, size_t size)
{
	char again[DISK_NAME_SIZE];

	return disk[0] == '.' && decode(disk + 1, out, size, true) &&
	       disk_name(out, again) == ERR_OK && strcmp(again, disk) == 0;
}
