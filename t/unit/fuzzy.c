/*
 * Texts that are nearly what is looked for, and a slow way to the same
 * distance for words drawn at random.
 */
#include <stdlib.h>
#include <string.h>

#include "imaptext/fuzzy.h"
#include "mime/decode.h"
#include "tap.h"

static const struct {
	const char *needle;
	const char *text;
	unsigned score;
} cases[] = {
	{ "hello world", "the world says hello", 80 },
	{ "helo", "say hello", 50 },
	{ "helo", "of help", 50 },
	{ "hello", "hallo", 50 },
	{ "hello", "hello", 80 },
	{ "hello", "othello", 80 },
	{ "hello", "hxllx", 0 },
	{ "hello", "ehllo", 0 },
	{ "helo", "develop", 0 },
	{ "cat", "car", 0 },
	{ "cat", "concatenate", 80 },
	{ "grandmother", "grandmothr", 50 },
	{ "grandmother", "granmothr", 25 },
	{ "grandmother", "granmoth", 0 },
	{ "conference call", "confrence calls", 65 },
	{ "conference call", "confrence", 0 },
	{ "cafe", "ein Caf\xc3\xa9", 80 },
	{ "caf\xc3\xa9", "CAFE", 80 },
	{ "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82",
	  "\xd0\xbf\xd1\x80\xd0\xb5\xd0\xb2\xd0\xb5\xd1\x82", 50 },
	{ "\xe6\xbc\xa2\xe5\xad\x97", "\xe6\xbc\xa2\xe5\xad\x98", 0 },
	{ "hello, world!", "world.hello", 80 },
	{ "...", "...", 0 },
	{ "", "text", 0 },
	{ "text", "", 0 },
	{ "a-very-long-word-that-goes-on", "on goes word that long very a", 80 },
};

static unsigned score(const char *needle, size_t n, const char *text,
		      size_t ntext)
{
	struct arena *a = arena_new();
	struct buf what, where, work;
	unsigned found;

	buf_init(&what, 1 << 20);
	buf_init(&where, 1 << 24);
	buf_init(&work, 1 << 24);
	mime_fold_case(&what, needle, n);
	mime_fold_case(&where, text, ntext);
	found = fuzzy_score(fuzzy_new(a, what.data, what.len), &where, &work);
	buf_free(&what);
	buf_free(&where);
	buf_free(&work);
	arena_free(&a);
	return found;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static unsigned distance(const char *a, size_t na, const char *b, size_t nb)
{
	unsigned row[2][64];

	for (size_t j = 0; j <= nb; j++)
		row[0][j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		unsigned *now = row[i % 2], *above = row[(i - 1) % 2];

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++)
			now[j] = least(least(now[j - 1], above[j]) + 1,
				       above[j - 1] + (a[i - 1] != b[j - 1]));
	}
	return row[na % 2][nb];
}

static size_t draw(char word[16])
{
	size_t n = 4 + (size_t)(rand() % 8);

	for (size_t i = 0; i < n; i++)
		word[i] = "abc"[rand() % 3];
	word[n] = '\0';
	return n;
}

static bool agrees(void)
{
	static const unsigned want[] = { 80, 50, 25 };
	char a[16], b[16];
	size_t na = draw(a), nb = draw(b);
	unsigned d = distance(a, na, b, nb);
	unsigned most = na < 8 ? 1 : 2;
	unsigned should = strstr(b, a) ? 80 : d <= most ? want[d] : 0;

	return score(a, na, b, nb) == should;
}

int main(void)
{
	bool good = true;
	size_t n = 4 << 20;
	char *large = malloc(n), needle[4000];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		unsigned got = score(cases[i].needle, strlen(cases[i].needle),
				     cases[i].text, strlen(cases[i].text));

		ok(got == cases[i].score, "%s in %s: %u", cases[i].needle,
		   cases[i].text, got);
	}
	srand(1);
	for (int i = 0; i < 20000 && good; i++)
		good = agrees();
	ok(good, "words at random");
	memset(large, 'a', n);
	ok(score("aaaaaaaab", 9, large, n) == 0, "a word of 4 MiB");
	for (size_t i = 0; i < n; i += 9)
		large[i] = ' ';
	for (size_t i = 0; i < sizeof(needle); i++)
		needle[i] = i % 10 == 9 ? ' ' : "abaaabaab"[i % 10];
	ok(score(needle, sizeof(needle), large, n) == 0, "hundreds of words");
	free(large);
	return done();
}
