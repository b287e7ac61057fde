#include "address/authserv.h"

#include <string.h>

#include "address/address.h"
#include "base/err.h"
#include "mime/decode.h"
#include "mime/token.h"

#define FIELD_MAX (1 << 20)

static bool is_name_byte(unsigned char c)
{
	return str_isalnum(c) || c >= 0x80 || (c && strchr("-_.", c));
}

/* Bytes beyond ASCII at its ends may be Unicode blanks. */
static bool is_host(const char *name, size_t n, const char *host)
{
	char canonical[ADDRESS_DOMAIN_SIZE];

	if (address_domain(name, n, canonical) == ERR_OK &&
	    str_equal_ci(canonical, host))
		return true;
	while (n > 0 && (unsigned char)name[n - 1] >= 0x80)
		n--;
	for (; n > 0 && (unsigned char)*name >= 0x80; n--)
		name++;
	return str_span_is(name, n, host);
}

/* Is one of the names in TEXT, before the first semicolon, HOST? */
static bool names_host(const struct buf *text, const char *host)
{
	const char *p = text->data, *end = p + text->len, *start;

	while (p < end && *p != ';') {
		for (start = p; p < end && is_name_byte((unsigned char)*p);)
			p++;
		if (p > start && is_host(start, (size_t)(p - start), host))
			return true;
		p += p == start;
	}
	return false;
}

/* VALUE without comments and quotes. */
static void put_plain(struct buf *out, const char *value, size_t n)
{
	struct mime_scan s = { .p = value, .end = value + n };

	while (s.p < s.end) {
		if (*s.p == '(')
			mime_scan_blank(&s, NULL);
		else if (*s.p == '"' || *s.p == '\\')
			s.p++;
		else
			buf_putc(out, *s.p++);
	}
}

bool address_authserv_is(const char *value, size_t n, const char *host)
{
	struct buf plain, decoded;
	bool ours;

	buf_init(&plain, FIELD_MAX);
	buf_init(&decoded, 4 * FIELD_MAX);
	put_plain(&plain, value, n);
	mime_decode_words(&decoded, plain.data, plain.len);
	ours = names_host(&plain, host) || names_host(&decoded, host);
	/* a field that is too long to examine can be dropped */
	ours |= plain.over || decoded.over;
	buf_free(&plain);
	buf_free(&decoded);
	return ours;
}
