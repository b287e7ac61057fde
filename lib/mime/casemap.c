/*
 * Texts as they compare: i;unicode-casemap (RFC 5051), that is each character
 * in title case, then decomposed. ASCII, which most text is, costs a pass.
 */
#include "mime/decode.h"

#include <stdlib.h>
#include <unicase.h>
#include <uninorm.h>
#include <unistr.h>

#include "base/mem.h"
#include "base/str.h"

/* A character in title case may take more bytes than before: at most twice
 * as many (U+0250 takes 2, and 3 in capitals). */
#define GROWTH 2

/* Appends TEXT, N, which is UTF-8. */
static void put_casemapped(struct buf *out, const char *text, size_t n)
{
	const uint8_t *p = (const uint8_t *)text, *end = p + n;
	uint8_t *title = mem_array(n + 1, GROWTH), *to = title, *all;
	size_t nall;
	ucs4_t c;

	while (p < end) {
		p += u8_mbtouc_unsafe(&c, p, (size_t)(end - p));
		to += u8_uctomb(to, uc_totitle(c), 6);
	}
	all = u8_normalize(UNINORM_NFKD, title, (size_t)(to - title), NULL,
			   &nall);
	if (all)
		buf_put(out, all, nall);
	free(all);
	free(title);
}

/* ASCII in capitals; tells whether anything else was there. With SQUEEZE each
 * row of white space becomes a blank. */
static bool put_ascii(struct buf *out, const char *text, size_t n, bool squeeze)
{
	char *to = buf_room(out, n), *start = to;
	bool beyond = false, blank = false;
	size_t i;

	if (!to)
		return false;
	for (i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (squeeze && c <= ' ' && str_isspace(c)) {
			if (!blank)
				*to++ = ' ';
			blank = true;
			continue;
		}
		blank = false;
		beyond |= c >= 0x80;
		*to++ = (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
	}
	buf_added(out, (size_t)(to - start));
	return beyond;
}

static void put(struct buf *out, const char *text, size_t n, bool squeeze)
{
	size_t before = out->len;
	struct buf ascii;

	if (!put_ascii(out, text, n, squeeze) ||
	    !str_is_utf8(out->data + before, out->len - before))
		return;
	/* not a string: NUL may be in it */
	buf_init(&ascii, out->len - before);
	buf_put(&ascii, out->data + before, out->len - before);
	buf_truncate(out, before);
	put_casemapped(out, ascii.data, ascii.len);
	buf_free(&ascii);
}

void mime_collate(struct buf *out, const char *text, size_t n)
{
	put(out, text, n, false);
}

void mime_fold_case(struct buf *out, const char *text, size_t n)
{
	put(out, text, n, true);
}
