#include "mime/message-id.h"

#include <string.h>

#include "base/str.h"

/* Behind the comment whose "(" is before P. */
static const char *skip_comment(const char *p, const char *end)
{
	int depth = 1;

	for (; p < end && depth > 0; p++) {
		if (*p == '\\' && p + 1 < end)
			p++;
		else if (*p == '(')
			depth++;
		else if (*p == ')')
			depth--;
	}
	return p;
}

/* Behind the quoted string whose first quote is before P; its text to OUT. */
static const char *unquote(const char *p, const char *end, struct buf *out)
{
	for (; p < end && *p != '"'; p++) {
		if (*p == '\\' && p + 1 < end)
			p++;
		if (*p)
			buf_putc(out, *p);
	}
	return p < end ? p + 1 : p;
}

static bool is_plain(char c)
{
	return c && !str_isspace((unsigned char)c) && c != '<' && c != '>' &&
	       c != '"' && c != '(';
}

/* What is from P on, behind "<", to OUT; *P moves behind ">", or to where
 * another identifier begins. False: it is none. */
static bool read_id(const char **p, const char *end, struct buf *out)
{
	const char *at = *p, *from;

	buf_reset(out);
	for (;;) {
		for (from = at; at < end && is_plain(*at); at++)
			;
		buf_put(out, from, (size_t)(at - from));
		if (at == end || *at == '<' || *at == '>')
			break;
		if (*at == '"')
			at = unquote(at + 1, end, out);
		else if (*at == '(')
			at = skip_comment(at + 1, end);
		else
			at++;
	}
	*p = at;
	return at < end && *at == '>' && !out->over &&
	       memchr(out->data, '@', out->len);
}

bool mime_message_id(const char **pos, const char *end, struct buf *out)
{
	const char *p = *pos;

	while (p < end && (p = memchr(p, '<', (size_t)(end - p)))) {
		p++;
		if (read_id(&p, end, out)) {
			*pos = p + 1;
			return true;
		}
	}
	*pos = end;
	return false;
}
