#include "imaptext/imaptext.h"

#include <string.h>

#include "base/str.h"

#define QUOTED_MAX 1000

/* Can S, N be a quoted string (RFC 3501 section 9, QUOTED-CHAR), in which bytes
 * from LIMIT on are not allowed? */
static bool quotable(const char *s, size_t n, unsigned limit)
{
	size_t i;

	if (n > QUOTED_MAX)
		return false;
	for (i = 0; i < n; i++)
		if (s[i] == '\0' || (unsigned char)s[i] >= limit ||
		    s[i] == '\r' || s[i] == '\n')
			return false;
	return true;
}

static void put_quoted(struct buf *out, const char *s, size_t n)
{
	size_t i, from = 0;

	buf_putc(out, '"');
	for (i = 0; i < n; i++) {
		if (s[i] != '"' && s[i] != '\\')
			continue;
		buf_put(out, s + from, i - from);
		buf_putc(out, '\\');
		from = i;
	}
	buf_put(out, s + from, n - from);
	buf_putc(out, '"');
}

void imap_put_bytes(struct buf *out, const char *s, size_t n)
{
	const char *end = s + n, *nul;

	while ((nul = memchr(s, '\0', (size_t)(end - s)))) {
		buf_put(out, s, (size_t)(nul - s));
		buf_putc(out, '?');
		s = nul + 1;
	}
	buf_put(out, s, (size_t)(end - s));
}

static void put_literal(struct buf *out, const char *s, size_t n)
{
	buf_printf(out, "{%zu}\r\n", n);
	imap_put_bytes(out, s, n);
}

void imap_put_string(struct buf *out, const char *data, size_t n)
{
	if (quotable(data, n, 0x80))
		put_quoted(out, data, n);
	else
		put_literal(out, data, n);
}

void imap_put_utf8(struct buf *out, const char *data, size_t n)
{
	if (quotable(data, n, 0x100) && str_is_utf8(data, n))
		put_quoted(out, data, n);
	else
		put_literal(out, data, n);
}

void imap_put_nstring(struct buf *out, const char *text)
{
	if (text)
		imap_put_string(out, text, strlen(text));
	else
		buf_puts(out, "NIL");
}
