/*
 * Answers in wire form: what they say, and that no cut or damaged one is
 * read beyond its end.
 * link: resolver/wire.c
 */
#include "resolver/wire.h"

#include <stdlib.h>

#include "base/mem.h"
#include "t/unit/tap.h"

#define MESSAGE(bytes) (const unsigned char *)(bytes), sizeof(bytes) - 1

#define HEAD "\0\1\x81\x80\0\1\0"
#define NONE "\0\0\0\0"
#define A_TEST "\1a\4test\0"
#define TTL60 "\0\1\0\0\0\x3c"

static const struct {
	const char *promise;
	const char *name;
	unsigned type;
	const unsigned char *data;
	size_t n;
	bool good;
	const char *canonical;
	const char *first;
} cases[] = {
	{ "an address", "a.test", 1,
	  MESSAGE(HEAD "\1" NONE A_TEST "\0\1\0\1\xc0\x0c\0\1" TTL60
		       "\0\4\xc0\0\2\1"),
	  true, "a.test", "192.0.2.1" },
	{ "the case of the owner does not matter", "a.test", 1,
	  MESSAGE(HEAD "\1" NONE "\1A\4TeSt\0\0\1\0\1\xc0\x0c\0\1" TTL60
		       "\0\4\xc0\0\2\1"),
	  true, "a.test", "192.0.2.1" },
	{ "MX with a compressed name", "a.test", 15,
	  MESSAGE(HEAD "\1" NONE A_TEST "\0\xf\0\1\xc0\x0c\0\xf" TTL60
		       "\0\6\0\xa\1m\xc0\x0c"),
	  true, "a.test", "10 m.a.test" },
	{ "null MX", "a.test", 15,
	  MESSAGE(HEAD "\1" NONE A_TEST "\0\xf\0\1\xc0\x0c\0\xf" TTL60
		       "\0\3\0\0\0"),
	  true, "a.test", "0 ." },
	{ "TXT strings are joined, NUL replaced", "a.test", 16,
	  MESSAGE(HEAD "\1" NONE A_TEST "\0\x10\0\1\xc0\x0c\0\x10" TTL60
		       "\0\6\2ab\2c\0"),
	  true, "a.test", "abc?" },
	{ "CNAME followed", "a.test", 1,
	  MESSAGE(HEAD "\2" NONE A_TEST "\0\1\0\1\xc0\x0c\0\5" TTL60
		       "\0\4\1b\xc0\x0e\xc0\x24\0\1" TTL60 "\0\4\1\2\3\4"),
	  true, "b.test", "1.2.3.4" },
	{ "bytes of a name that are not text", "a.test", 12,
	  MESSAGE(HEAD "\1" NONE A_TEST "\0\xc\0\1\xc0\x0c\0\xc" TTL60
		       "\0\6\4x.\n\\\0"),
	  true, "a.test", "x\\046\\010\\092" },
	{ "records of another owner are not ours", "a.test", 1,
	  MESSAGE(HEAD "\1" NONE A_TEST "\0\1\0\1\1x\0\0\1" TTL60
		       "\0\4\1\2\3\4"),
	  true, "a.test", NULL },
	{ "a pointer to itself", "a.test", 12,
	  MESSAGE(HEAD "\1" NONE A_TEST "\0\xc\0\1\xc0\x0c\0\xc" TTL60
		       "\0\2\xc0\x24"),
	  false, NULL, NULL },
	{ "a pointer forward", "a.test", 12,
	  MESSAGE(HEAD "\1" NONE A_TEST "\0\xc\0\1\xc0\x0c\0\xc" TTL60
		       "\0\3\xc0\x26\0"),
	  false, NULL, NULL },
	{ "an address of three bytes", "a.test", 1,
	  MESSAGE(HEAD "\1" NONE A_TEST "\0\1\0\1\xc0\x0c\0\1" TTL60
		       "\0\3\1\2\3"),
	  false, NULL, NULL },
	{ "a string beyond its record", "a.test", 16,
	  MESSAGE(HEAD "\1" NONE A_TEST "\0\x10\0\1\xc0\x0c\0\x10" TTL60
		       "\0\3\3ab"),
	  false, NULL, NULL },
};

#define CASES (sizeof(cases) / sizeof(cases[0]))

static void check_case(size_t i)
{
	struct wire_answer w;
	bool good = wire_read(cases[i].data, cases[i].n, cases[i].name,
			      cases[i].type, &w);
	const char *first = w.record.n ? w.record.item[0] : NULL;

	ok(good == cases[i].good &&
		   (!good || (strcmp(w.canonical, cases[i].canonical) == 0 &&
			      str_equal(first, cases[i].first))),
	   "%s", cases[i].promise);
	strlist_free(&w.record);
}

/* Each beginning of the message in memory of just that size, so that a
 * sanitizer sees a read beyond. */
static void check_cuts(size_t i)
{
	bool all = true;

	for (size_t n = 0; n < cases[i].n; n++) {
		unsigned char *part = mem_alloc(n + 1);
		struct wire_answer w;

		part = mem_resize(part, n ? n : 1, 1);
		memcpy(part, cases[i].data, n);
		if (wire_read(part, n, cases[i].name, cases[i].type, &w))
			all = false;
		strlist_free(&w.record);
		free(part);
	}
	ok(all, "cut anywhere it is refused: %s", cases[i].promise);
}

static void check_damage(size_t i)
{
	unsigned char *copy = mem_alloc(cases[i].n);

	for (size_t at = 0; at < cases[i].n * 256; at++) {
		struct wire_answer w;

		memcpy(copy, cases[i].data, cases[i].n);
		copy[at / 256] = (unsigned char)at;
		wire_read(copy, cases[i].n, cases[i].name, cases[i].type, &w);
		strlist_free(&w.record);
	}
	free(copy);
	ok(true, "each byte changed to each value: %s", cases[i].promise);
}

static void check_longest_name(void)
{
	unsigned char m[600] = "\0\1\x81\x80\0\0\0\1\0\0\0\0\1a\0\0\xc\0\1\0\0"
			       "\0\0\0\xff";
	struct wire_answer w;
	size_t n = 25;

	for (int i = 0; i < 4; i++) {
		m[n++] = i < 3 ? 63 : 61;
		memset(m + n, 0xff, 63);
		n += i < 3 ? 63 : 61;
	}
	m[n++] = 0;
	ok(wire_read(m, n, "a", 12, &w) && w.record.n == 1 &&
		   strlen(w.record.item[0]) == 250 * 4 + 3,
	   "a name of 255 octets, none of them text");
	strlist_free(&w.record);
	m[24 + 63 * 3 + 3 + 1]++;
	m[n - 1] = 'x';
	m[n++] = 0;
	m[23] = 1;
	m[24] = 0;
	ok(!wire_read(m, n, "a", 12, &w), "a name of 256 octets is refused");
	strlist_free(&w.record);
}

static void check_names(void)
{
	static const struct {
		const char *name;
		const char *clean;
	} names[] = {
		{ "A.Example.", "a.example" },
		{ ".", "." },
		{ "_dmarc.a", "_dmarc.a" },
		{ "", NULL },
		{ "a..b", NULL },
		{ ".a", NULL },
		{ "a.b..", NULL },
		{ "A b", "a\\032b" },
		{ "a\tb", NULL },
		{ "a\\.b", NULL },
		{ "\303\274.a", NULL },
	};
	char out[WIRE_NAME_SIZE];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		is(wire_name(names[i].name, out, sizeof(out)) ? out : NULL,
		   names[i].clean, "name");
}

int main(void)
{
	for (size_t i = 0; i < CASES; i++) {
		check_case(i);
		check_cuts(i);
		check_damage(i);
	}
	check_longest_name();
	check_names();
	ok(wire_type("TLSA") == 52 && wire_type("SRV") == 0, "types");
	return done();
}
