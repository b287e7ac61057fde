#include "decoder/xml.h"

#include <string.h>

#include "base/str.h"

/* Elements within a word or a line: a word may go on after them. All others
 * divide. */
static const char *const within[] = {
	"r",	"t",   "rPr", "b",     "i",   "u",     "sz",   "szCs", "color",
	"lang", "bCs", "iCs", "rFonts", "span", "a",   "vertAlign", "rStyle",
	"hyperlink", "proofErr", "bookmarkStart", "bookmarkEnd",
	"bookmark-start", "bookmark-end", "bookmark", "ins", "noProof",
	"lastRenderedPageBreak", "softHyphen", "soft-page-break", "latin", "ea",
	"cs", "solidFill", "srgbClr", "schemeClr", "highlight", "strike",
};

static const struct {
	const char *name;
	unsigned c;
} entities[] = {
	{ "amp", '&' },	 { "lt", '<' },	  { "gt", '>' },
	{ "quot", '"' }, { "apos", '\'' }, { "nbsp", 0xa0 },
};

bool xml_is(const struct buf *text)
{
	static const char mark[] = "\xef\xbb\xbf"; /* which may come first */
	const char *p = text->data;

	if (str_starts(p, mark))
		p += sizeof(mark) - 1;
	return str_starts(p, "<?xml");
}

/* Does the tag at P ("<w:p …", up to END) divide words? */
static bool divides(const char *p, const char *end)
{
	const char *name = p + 1, *colon;
	size_t n;

	name += name < end && *name == '/';
	for (n = 0; name + n < end && !strchr(" \t\r\n/>", name[n]); n++)
		;
	colon = memchr(name, ':', n);
	if (colon) {
		n -= (size_t)(colon + 1 - name);
		name = colon + 1;
	}
	for (size_t i = 0; i < sizeof(within) / sizeof(*within); i++)
		if (strlen(within[i]) == n && memcmp(within[i], name, n) == 0)
			return false;
	return true;
}

/* The end of what begins with '<' at P: behind it. */
static const char *behind(const char *p, const char *end)
{
	const char *at = NULL;

	if (end - p >= 4 && memcmp(p, "<!--", 4) == 0)
		at = memmem(p + 4, (size_t)(end - p - 4), "-->", 3);
	if (at)
		return at + 3;
	at = memchr(p, '>', (size_t)(end - p));
	return at ? at + 1 : end;
}

static bool code_point(const char *name, size_t n, unsigned *c)
{
	unsigned base = 10, digit;

	*c = 0;
	if (n > 0 && (*name == 'x' || *name == 'X')) {
		base = 16;
		name++;
		n--;
	}
	for (; n > 0; n--, name++) {
		int lower = str_tolower((unsigned char)*name);

		digit = str_isdigit(lower) ? (unsigned)(lower - '0')
		      : lower >= 'a' && lower <= 'f' ? (unsigned)(lower - 'a') + 10
						     : base;
		if (digit >= base || *c > 0x10ffff)
			return false;
		*c = *c * base + digit;
	}
	return *c > 0 && *c <= 0x10ffff && (*c < 0xd800 || *c > 0xdfff);
}

/* UTF-8 of C, which is never longer than what stood for it. */
static char *put_utf8(char *to, unsigned c)
{
	if (c < 0x80) {
		*to++ = (char)c;
		return to;
	}
	if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
	} else {
		if (c < 0x10000) {
			*to++ = (char)(0xe0 | c >> 12);
		} else {
			*to++ = (char)(0xf0 | c >> 18);
			*to++ = (char)(0x80 | (c >> 12 & 0x3f));
		}
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
	}
	*to++ = (char)(0x80 | (c & 0x3f));
	return to;
}

/* The character that "&name;" at P stands for; 0: none. *N: its bytes. */
static unsigned entity(const char *p, const char *end, size_t *n)
{
	size_t most = (size_t)(end - p) < 12 ? (size_t)(end - p) : 12;
	const char *semicolon = memchr(p, ';', most);
	unsigned c;

	if (!semicolon)
		return 0;
	*n = (size_t)(semicolon + 1 - p);
	if (*n > 3 && p[1] == '#')
		return code_point(p + 2, *n - 3, &c) ? c : 0;
	for (size_t i = 0; i < sizeof(entities) / sizeof(*entities); i++)
		if (str_span_is(p + 1, *n - 2, entities[i].name))
			return entities[i].c;
	return 0;
}

void xml_strip(struct buf *b)
{
	const char *p = b->data, *end = p + b->len;
	char *to = b->data;

	while (p < end) {
		unsigned c = 0;
		size_t n = 1;

		if (*p == '<') {
			bool cut = divides(p, end);

			p = behind(p, end);
			if (cut && to > b->data && to[-1] != '\n')
				*to++ = '\n'; /* over the tag */
			continue;
		}
		if (*p == '&')
			c = entity(p, end, &n);
		if (c)
			to = put_utf8(to, c);
		else
			*to++ = *p;
		p += c ? n : 1;
	}
	buf_truncate(b, (size_t)(to - b->data));
}
