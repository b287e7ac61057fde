#include "imapd/pattern.h"

#include <string.h>

#include "base/str.h"

#define NAME_MAX_BYTES 2048
#define INBOX "INBOX"

static bool is_wild(char c)
{
	return c == '*' || c == '%';
}

/* How many bytes of the name match in either case: INBOX, alone or as the
 * first level. */
static size_t folded(const char *name)
{
	size_t n = strlen(INBOX);

	return str_starts(name, INBOX) && (name[n] == '\0' || name[n] == '/')
		       ? n
		       : 0;
}

/* reach[i]: the pattern so far can match the first i bytes of the name. One
 * step of the pattern updates all of them. */
static void step(bool *reach, const char *name, size_t n, char c, size_t fold)
{
	size_t i;

	if (is_wild(c)) {
		for (i = 1; i <= n; i++)
			if (reach[i - 1] && (c == '*' || name[i - 1] != '/'))
				reach[i] = true;
		return;
	}
	for (i = n; i > 0; i--)
		reach[i] = reach[i - 1] &&
			   (name[i - 1] == c ||
			    (i <= fold &&
			     str_tolower((unsigned char)c) ==
				     str_tolower((unsigned char)name[i - 1])));
	reach[0] = false;
}

bool pattern_match(const char *pattern, const char *name)
{
	bool reach[NAME_MAX_BYTES + 1] = { true };
	size_t fold = folded(name);
	size_t n = strlen(name);

	if (n > NAME_MAX_BYTES)
		return false;
	for (; *pattern; pattern++) {
		while (is_wild(pattern[0]) && pattern[0] == pattern[1])
			pattern++;
		step(reach, name, n, *pattern, fold);
	}
	return reach[n];
}
