#include "mime/token.h"

#include <string.h>

#include "base/str.h"

/* Appends the current byte unless it is a line end or NUL, which no value may
 * contain. A tab from folding is a space to a reader, as in mime_unfold; what
 * is scanned has a byte before it. */
static void put_text(struct mime_scan *s, struct buf *out)
{
	char c = *s->p;

	if (c == '\r' || c == '\n' || c == '\0')
		s->broken = true;
	else if (out)
		buf_putc(out, c == '\t' && s->p[-1] == '\n' ? ' ' : c);
}

static void scan_comment(struct mime_scan *s, struct buf *comment)
{
	size_t depth = 0;

	if (comment)
		buf_reset(comment);
	for (; s->p < s->end; s->p++) {
		if (*s->p == '(' && depth++ == 0)
			continue;
		if (*s->p == ')' && --depth == 0) {
			s->p++;
			return;
		}
		if (*s->p == '\\' && s->p + 1 < s->end)
			s->p++;
		put_text(s, comment);
	}
	s->broken = true;
}

void mime_scan_blank(struct mime_scan *s, struct buf *comment)
{
	while (s->p < s->end) {
		if (*s->p == '(') {
			scan_comment(s, comment);
			continue;
		}
		if (!str_isspace((unsigned char)*s->p) && *s->p != '\0')
			return;
		s->broken |= *s->p == '\0';
		s->p++;
	}
}

bool mime_scan_quoted(struct mime_scan *s, struct buf *out)
{
	if (s->p >= s->end || *s->p != '"')
		return false;
	for (s->p++; s->p < s->end && *s->p != '"'; s->p++) {
		if (*s->p == '\\' && s->p + 1 < s->end)
			s->p++;
		put_text(s, out);
	}
	s->broken |= s->p >= s->end;
	if (s->p < s->end)
		s->p++;
	return true;
}

bool mime_scan_run(struct mime_scan *s, const char *specials, struct buf *out)
{
	const char *start = s->p;

	while (s->p < s->end && (unsigned char)*s->p > ' ' && *s->p != 0x7f &&
	       !strchr(specials, *s->p))
		s->p++;
	buf_put(out, start, (size_t)(s->p - start));
	return s->p > start;
}

bool mime_scan_char(struct mime_scan *s, char c)
{
	if (s->p >= s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}
