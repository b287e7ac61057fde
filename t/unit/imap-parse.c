/*
 * Commands as clients send them: the reader, the arguments, sets, patterns.
 *
 * link: imapd/reader.c imapd/args.c imapd/pattern.c imapd/date.c imapd/url.c
 */
#include <stdlib.h>

#include "imapd/args.h"
#include "imapd/date.h"
#include "imapd/pattern.h"
#include "imapd/reader.h"
#include "imapd/url.h"
#include "mailbox/mailbox.h"
#include "tap.h"

#define MAX 64

static const char *const results[] = { "more", "done", "literal", "long",
				       "syntax" };

/* Feeds TEXT, N in pieces of STEP bytes, accepting literals, and writes what
 * came: results and the texts of commands. */
static void feed(const char *text, size_t n, size_t step, char *out,
		 size_t size)
{
	struct reader r;
	size_t at = 0, used, len = 0;

	reader_init(&r, MAX);
	*out = '\0';
	while (at < n) {
		size_t piece = n - at < step ? n - at : step;
		/* a heap copy, so that reading too far is seen */
		char *copy = malloc(piece);
		enum reader_result got;

		memcpy(copy, text + at, piece);
		got = reader_feed(&r, copy, piece, &used);
		free(copy);
		at += used;
		if (got == READER_MORE)
			continue;
		len += (size_t)snprintf(out + len, size - len, "%s:%s|",
					results[got],
					got == READER_DONE ? r.text.data : "");
		if (got == READER_LITERAL && reader_accept(&r))
			continue;
		if (got != READER_LITERAL || !r.nonsync)
			reader_reset(&r);
	}
	reader_free(&r);
}

static const struct {
	const char *promise;
	const char *text;
	size_t n;
	const char *want;
} streams[] = {
#define S(text) text, sizeof(text) - 1
	{ "two lines are two commands", S("a NOOP\r\nb NOOP\r\n"),
	  "done:a NOOP|done:b NOOP|" },
	{ "a bare LF ends a line", S("a NOOP\n"), "done:a NOOP|" },
	{ "a literal", S("a LOGIN {3}\r\nfoo {2+}\r\nx\n\r\n"),
	  "literal:|literal:|done:a LOGIN {3}\r\nfoo {2+}\r\nx\n|" },
	{ "an empty literal", S("a X {0}\r\n y\r\n"),
	  "literal:|done:a X {0}\r\n y|" },
	{ "a line over the limit is one error",
	  S("a xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxxxxxxxxxxxxx\r\nb NOOP\r\n"),
	  "long:|done:b NOOP|" },
	{ "a literal over the limit is refused", S("a X {100}\r\nb NOOP\r\n"),
	  "literal:|done:b NOOP|" },
	{ "one that was sent unasked is drained",
	  S("a X {70+}\r\n0123456789012345678901234567890123456789012345678901"
	    "234567890123456789 {3+}\r\nabc\r\nb NOOP\r\n"),
	  "literal:|long:|done:b NOOP|" },
	{ "NUL in a line", S("a \0\r\nb NOOP\r\n"), "syntax:|done:b NOOP|" },
	{ "NUL in a literal", S("a {3+}\r\nx\0y\r\nb NOOP\r\n"),
	  "literal:|syntax:|done:b NOOP|" },
	{ "NUL in a literal8", S("a ~{3+}\r\nx\0y\r\nb NOOP\r\n"),
	  "literal:|done:a ~{3+}\r\nx|done:b NOOP|" },
	{ "NUL in the line after it",
	  S("a ~{1+}\r\n\0 \0\r\nb NOOP\r\n"),
	  "literal:|syntax:|done:b NOOP|" },
	{ "NUL in a literal after it",
	  S("a ~{1+}\r\n\0 {1+}\r\n\0\r\nb NOOP\r\n"),
	  "literal:|literal:|syntax:|done:b NOOP|" },
	{ "a number that no literal can have is too long",
	  S("a X {99999999999999999999}\r\nb NOOP\r\n"),
	  "literal:|done:b NOOP|" },
	{ "braces without number are text", S("a X {}\r\na {x}\r\n"),
	  "done:a X {}|done:a {x}|" },
};

static void test_reader(void)
{
	char out[512];
	size_t i, step;
	bool good;

	for (i = 0; i < sizeof(streams) / sizeof(*streams); i++) {
		feed(streams[i].text, streams[i].n, 1000, out, sizeof(out));
		is(out, streams[i].want, streams[i].promise);
		good = true;
		for (step = 1; step < 12; step++) {
			feed(streams[i].text, streams[i].n, step, out,
			     sizeof(out));
			good &= strcmp(out, streams[i].want) == 0;
		}
		ok(good, "the same in small pieces");
	}
}

static void put(struct buf *b, const struct arg *a)
{
	for (; a->type != ARG_END; a++) {
		if (a->type == ARG_LIST) {
			buf_putc(b, '(');
			put(b, a->list);
			buf_putc(b, ')');
		} else {
			buf_printf(b,
				   a->type == ARG_ATOM	   ? "%s"
				   : a->type == ARG_BINARY ? "~<%s>"
							   : "<%s>",
				   a->s);
		}
		if (a[1].type != ARG_END)
			buf_putc(b, ' ');
	}
}

static const struct {
	const char *text;
	const char *want; /* NULL: refused */
} arguments[] = {
	{ "a NOOP", "a NOOP" },
	{ "a \"b c\" {3}\r\nd e f", "a <b c> <d e> f" },
	{ "~{3}\r\nd e ~f ~", "~<d e> ~f ~" },
	{ "~{3}\r\nab", NULL },
	{ "~{x}", NULL },
	{ "a~{1}\r\nb", NULL },
	{ "\"q\\\"\\\\\" x", "<q\"\\> x" },
	{ "(a (b) () c)", "(a (b) () c)" },
	{ "BODY[HEADER.FIELDS (A B)]<0.1> x",
	  "BODY[HEADER.FIELDS (A B) ]<0.1> x" },
	{ "", "" },
	{ "\"\"", "<>" },
	{ "\"open", NULL },
	{ "(open", NULL },
	{ "close)", NULL },
	{ "((((((x))))))", NULL },
	{ "{5}\r\nabc", NULL },
	{ "{x}\r\nabc", NULL },
	{ "{", NULL },
	{ "\"a {3}\r\nb\"", NULL },
	{ "a\tb", NULL },
	{ "1 2 3 4 5 6 7 8 9 10 11 12 13", NULL },
};

static void test_args(void)
{
	const struct args_limits limits = { .depth = 5, .args = 12 };
	struct arena *a = arena_new();
	const char *why;
	char name[64];
	struct arg *got;
	struct buf b;
	size_t i;

	buf_init(&b, 4096);
	for (i = 0; i < sizeof(arguments) / sizeof(*arguments); i++) {
		const char *text = arguments[i].text;

		buf_reset(&b);
		got = args_parse(a, text, strlen(text), &limits, &why);
		if (got)
			put(&b, got);
		snprintf(name, sizeof(name), "arguments, case %zu", i + 1);
		is(got ? b.data : NULL, arguments[i].want, name);
	}
	buf_free(&b);
	arena_free(&a);
}

static const struct {
	const char *pattern;
	const char *name;
	bool want;
} patterns[] = {
	{ "*", "a/b", true },	   { "%", "a", true },
	{ "%", "a/b", false },	   { "a/%", "a/b", true },
	{ "a%b", "axxb", true },   { "a%b", "a/b", false },
	{ "a*b", "a/b", true },	   { "inbox", "INBOX", true },
	{ "iNb%", "INBOX", true }, { "Sent", "sent", false },
	{ "", "a", false },	   { "", "", true },
	{ "a/*", "a", false },	   { "*/b", "a/c/b", true },
	{ "%/%", "a/b", true },	   { "%/%", "a/b/c", false },
	{ "**%%x", "abcx", true }, { "a", "ab", false },
};

static void test_patterns(void)
{
	char many[1001], name[1001];
	size_t i;

	for (i = 0; i < sizeof(patterns) / sizeof(*patterns); i++)
		ok(pattern_match(patterns[i].pattern, patterns[i].name) ==
			   patterns[i].want,
		   "\"%s\" and \"%s\"", patterns[i].pattern, patterns[i].name);
	for (i = 0; i < 1000; i++)
		many[i] = i % 2 ? '*' : 'a';
	many[999] = 'b';
	memset(name, 'a', 1000);
	many[1000] = name[1000] = '\0';
	ok(!pattern_match(many, name), "500 wildcards end in time");
}

static const struct {
	const char *date;
	int64_t want; /* seconds after the day began in UTC */
} sent[] = {
	{ "Tue, 24 Nov 2026 02:03:04 +0000", 7384 },
	{ "Tue, 24 Nov 2026 02:03:04 +0130 (CET)", 1984 },
	{ "24 Nov 2026 22:03:04 -0130", 84784 },
	{ "24 Nov 2026 02:03:60 +0000", 7440 },
	{ "24 Nov 2026 02:03:04 +01300", 1984 },
	{ "24 Nov 2026 02:03:04 +0199", 7384 },
	{ "24 Nov 2026 02:03:04 +0130", 1984 },
	{ "24 Nov 2026 02:03 -0100", 10980 },
	{ "24 November 26 02:03:04 EST", 25384 },
	{ "24 Nov 2026 02:03:04 (a comment)", 7384 },
	{ "24 Nov 2026 02:03:04 GMT", 7384 },
	{ "24 Nov 2026 02:03:04 +99", 7384 },
	{ "24 Nov 2026 25:03:04 +0000", 0 },
	{ "24 Nov 2026 x", 0 },
	{ "24 Nov 2026", 0 },
};

static void test_sent(void)
{
	int64_t when;

	for (size_t i = 0; i < sizeof(sent) / sizeof(*sent); i++)
		ok(date_parse_sent(sent[i].date, &when) &&
			   when == 20781 * INT64_C(86400) + sent[i].want,
		   "sent: %s", sent[i].date);
	ok(!date_parse_sent("yesterday", &when), "none");
}

static void test_dates(void)
{
	int64_t when;
	date_day day, other;

	ok(date_parse("24-Nov-2026", &day) && day == 20781, "a date");
	ok(date_parse("1-jan-1970", &day) && day == 0, "the first day");
	ok(!date_parse("32-Jan-2000", &day) &&
		   !date_parse("1-Foo-2000", &day) &&
		   !date_parse("1-Jan-2000 ", &day) && !date_parse("", &day),
	   "no dates");
	ok(date_parse_time(" 4-Nov-2026 02:00:00 +0130", &when) &&
		   when == 1793752200,
	   "a date with time and zone");
	ok(!date_parse_time("4-Nov-2026 25:00:00 +0000", &when),
	   "an hour that is none");
	ok(date_parse_header("Tue, 24 Nov 2026 23:59:59 -0800", &day) &&
		   day == 20781,
	   "the day of a Date field is that of its own zone");
	ok(date_parse_header("24 November 26 10:00 GMT", &other) &&
		   other == day,
	   "old forms of it");
	ok(!date_parse_header("yesterday", &day), "and none");
	test_sent();
}

/* Every byte value, whatever `char` is taken for. */
static void test_atoms(void)
{
	static const char forbidden[] = "(){%*\"\\]";
	bool atom = true, keyword = true;
	int c;

	for (c = 0; c < 256; c++) {
		bool want = c > 0x20 && c < 0x7f &&
			    !memchr(forbidden, c, sizeof(forbidden) - 1);
		const char name[] = { 'a', (char)c, '\0' };

		atom = atom && args_atom_byte((char)c) == want;
		keyword =
			keyword && (c == 0 || mailbox_is_keyword(name) == want);
	}
	ok(atom, "an atom's bytes");
	ok(keyword, "a keyword's bytes");
}

static const struct {
	const char *text;
	const char *want; /* NULL: refused */
} urls[] = {
	{ "/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER",
	  "Drafts 385759045 20 [HEADER]" },
	{ "/Drafts/;UID=20", "Drafts 0 20 []" },
	{ "/Drafts/;UID=20/", "Drafts 0 20 []" },
	{ "Drafts/;UID=20", "Drafts 0 20 []" },
	{ "/a/b%20c%2Fd/;UID=1/;SECTION=1.2", "a/b c/d 0 1 [1.2]" },
	{ "/a;UIDVALIDITY=5/;UID=1/;SECTION=HEADER.FIELDS%20(A%20B)",
	  "a 5 1 [HEADER.FIELDS (A B)]" },
	{ "/;UID=3/;SECTION=TEXT", " 0 3 [TEXT]" },
	{ ";UID=3", " 0 3 []" },
	{ "/a/;UID=1/;PARTIAL=5.6", "a 0 1 [] 5 6" },
	{ "/a/;UID=1/;SECTION=1/;PARTIAL=0", "a 0 1 [1] 0 4294967295" },
	{ "/a/;UID=1/;SECTION=1;PARTIAL=0.1", "a 0 1 [1] 0 1" },
	{ "", NULL },
	{ "/", NULL },
	{ "/a", NULL },
	{ "/a/;UID=", NULL },
	{ "/a/;UID=0", NULL },
	{ "/a/;UID=1x", NULL },
	{ "/a/;UID=1/;SECTION=", NULL },
	{ "/a/;UID=1/x", NULL },
	{ "/a/;UID=1/;PARTIAL=1.0", NULL },
	{ "/a/;UID=1/;PARTIAL=.5", NULL },
	{ "/a;UIDVALIDITY=0/;UID=1", NULL },
	{ "/a%2/;UID=1", NULL },
	{ "/a%/;UID=1", NULL },
	{ "/a%00/;UID=1", NULL },
	{ "/a%0a/;UID=1", NULL },
	{ "//server/a/;UID=1", NULL },
	{ "imap://u@server/a/;UID=1", NULL },
	{ "/a/;UID=1/;URLAUTH=anonymous", NULL },
};

static void test_urls(void)
{
	static char long_url[URL_MAX + 20];
	char got[2 * URL_MAX + 100], part[32];
	static struct url u;

	for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++) {
		bool good = url_parse(urls[i].text, &u);

		snprintf(part, sizeof(part), " %u %u", u.from, u.length);
		snprintf(got, sizeof(got), "%s %u %u [%s]%s", u.mailbox,
			 u.uidvalidity, u.uid, u.section,
			 u.partial ? part : "");
		is(good ? got : NULL, urls[i].want, urls[i].text);
	}
	memset(long_url, 'a', sizeof(long_url) - 1);
	memcpy(long_url + URL_MAX, "/;UID=1", 8);
	ok(!url_parse(long_url, &u), "a URL that is too long");
}

int main(void)
{
	test_reader();
	test_urls();
	test_args();
	test_atoms();
	test_patterns();
	test_dates();
	return done();
}
