#include "base/str.h"

#include <string.h>

int str_tolower(int c)
{
	return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

int str_toupper(int c)
{
	return c >= 'a' && c <= 'z' ? c - 32 : c;
}

char *str_lower(char *s)
{
	for (char *p = s; *p; p++)
		*p = (char)str_tolower(*p);
	return s;
}

bool str_isdigit(int c)
{
	return c >= '0' && c <= '9';
}

bool str_isalpha(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool str_isalnum(int c)
{
	return str_isdigit(c) || str_isalpha(c);
}

bool str_isspace(int c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool str_isprint(int c)
{
	return c >= 0x20 && c <= 0x7e;
}

bool str_equal(const char *a, const char *b)
{
	if (!a || !b)
		return a == b;
	return strcmp(a, b) == 0;
}

static bool same_ci(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_tolower(a[i]) != str_tolower(b[i]))
			return false;
	return true;
}

bool str_equal_ci(const char *a, const char *b)
{
	size_t n;

	if (!a || !b)
		return a == b;
	n = strlen(a);
	return n == strlen(b) && same_ci(a, b, n);
}

bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_starts_ci(const char *s, const char *prefix)
{
	size_t n = strlen(prefix);

	return strnlen(s, n) == n && same_ci(s, prefix, n);
}

bool str_ends_ci(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && same_ci(s + n - m, suffix, m);
}

bool str_span_is(const char *s, size_t n, const char *word)
{
	return strlen(word) == n && same_ci(s, word, n);
}

bool str_span_is_ascii(const char *s, size_t n)
{
	uint64_t all = 0, word;
	unsigned char rest = 0;

	for (; n >= sizeof(word); s += sizeof(word), n -= sizeof(word)) {
		memcpy(&word, s, sizeof(word));
		all |= word;
	}
	while (n > 0)
		rest |= (unsigned char)s[--n];
	return !(all & UINT64_C(0x8080808080808080)) && rest < 0x80;
}

bool str_copy(char *dst, size_t size, const char *src)
{
	size_t n = strlen(src);

	if (n >= size) {
		if (size)
			dst[0] = '\0';
		return false;
	}
	memcpy(dst, src, n + 1);
	return true;
}

char *str_trim(char *s)
{
	size_t n;

	while (str_isspace(*s))
		s++;
	n = strlen(s);
	while (n > 0 && str_isspace(s[n - 1]))
		s[--n] = '\0';
	return s;
}

/* The length of the UTF-8 sequence at S (at most N bytes), or 0. */
static size_t utf8_length(const unsigned char *s, size_t n)
{
	unsigned c = s[0];
	size_t len = c < 0x80	? 1
		     : c < 0xc2 ? 0
		     : c < 0xe0 ? 2
		     : c < 0xf0 ? 3
		     : c < 0xf5 ? 4
				: 0;

	if (len == 0 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((c == 0xe0 && s[1] < 0xa0) || (c == 0xed && s[1] > 0x9f) ||
	    (c == 0xf0 && s[1] < 0x90) || (c == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

bool str_is_ascii(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s >= 0x80)
			return false;
	return true;
}

bool str_is_utf8(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t len;

	while (n > 0) {
		len = utf8_length(p, n);
		if (len == 0)
			return false;
		p += len;
		n -= len;
	}
	return true;
}

unsigned str_distance(const char *a, const char *b)
{
	unsigned row[100];
	size_t n = strlen(a), m = strlen(b);

	if (n > 98 || m > 98)
		return 99;
	for (size_t j = 0; j <= m; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned corner = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			unsigned best = corner + (a[i - 1] != b[j - 1]);

			corner = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[m];
}
