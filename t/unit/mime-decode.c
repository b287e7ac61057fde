/*
 * The text of messages as SEARCH sees it.
 */
#include "mime/decode.h"
#include "mime/message-id.h"
#include "tap.h"

static const struct {
	const char *promise;
	const char *value;
	const char *want;
} words[] = {
	{ "no encoded word", "just text", "just text" },
	{ "quoted-printable", "=?iso-8859-1?Q?J=F6_x?= y", "J\xc3\xb6 x y" },
	{ "an underscore is a blank", "=?utf-8?q?a_b__c?=", "a b  c" },
	{ "an encoded underscore is one", "=?utf-8?q?a=5Fb=5f_=5F?=",
	  "a_b_ _" },
	{ "an equals sign before one stays", "=?utf-8?q?a=_=?=", "a= " },
	{ "an underscore in base64 is one", "=?utf-8?b?Zm9vX2Jhcg==?=",
	  "foo_bar" },
	{ "base64", "=?UTF-8?B?SsO2?=", "J\xc3\xb6" },
	{ "white space between words goes", "=?utf-8?q?a?=\r\n =?utf-8?q?b?= c",
	  "ab c" },
	{ "white space before text stays", "x =?utf-8?q?a?= y", "x a y" },
	{ "a language", "=?utf-8*de?q?a?=", "a" },
	{ "a word left open stays", "=?utf-8?q?a", "=?utf-8?q?a" },
	{ "an unknown encoding stays", "=?utf-8?x?a?=", "=?utf-8?x?a?=" },
	{ "an unknown charset keeps ASCII", "=?nope?q?a=FF?=", "a?" },
	{ "a word inside text", "(=?utf-8?q?a?=)", "(a)" },
};

static const struct {
	const char *promise;
	const char *part;
	const char *want; /* NULL: no text */
} parts[] = {
	{ "plain", "\nhello", "hello" },
	{ "base64 in latin1",
	  "Content-Type: text/plain; charset=iso-8859-1\n"
	  "Content-Transfer-Encoding: BASE64\n\nSvY=\n",
	  "J\xc3\xb6" },
	{ "a charset in pieces (RFC 2231)",
	  "Content-Type: text/plain; charset*0=iso-; charset*1*=%38859-1\n\n"
	  "J\xf6",
	  "J\xc3\xb6" },
	{ "quoted-printable with soft line ends",
	  "Content-Transfer-Encoding: quoted-printable\n\na=3Db=\nc= \r\nd=ZZ",
	  "a=bcd=ZZ" },
	{ "quoted-printable leaves underscores",
	  "Content-Transfer-Encoding: quoted-printable\n\na_b=5F", "a_b_" },
	{ "an image is no text", "Content-Type: image/png\n\nabc", NULL },
};

static const struct {
	const char *value;
	const char *want; /* the identifiers, each followed by a blank */
} ids[] = {
	{ "<a@b>", "a@b " },
	{ "<a@b><c@d>\n\t<e@f>", "a@b c@d e@f " },
	{ "your mail <a@b> of today", "a@b " },
	{ "<\"a\"@b> <a (comment > (here)) @b>", "a@b a@b " },
	{ "<a\n b@c>", "ab@c " },
	{ "<\"a\\\"> b\"@c>", "a\"> b@c " },
	{ "<a> <b@c>", "b@c " },
	{ "<a@b <c@d>", "c@d " },
	{ "a@b", "" },
	{ "<a@b", "" },
	{ "<a@b (never ends>", "" },
	{ "", "" },
};

static void test_message_ids(void)
{
	struct buf id, found;

	buf_init(&id, 1000);
	buf_init(&found, 1000);
	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		const char *pos = ids[i].value, *end = pos + strlen(pos);

		buf_reset(&found);
		while (mime_message_id(&pos, end, &id))
			buf_printf(&found, "%s ", id.data);
		is(found.data, ids[i].want, ids[i].value);
	}
	buf_free(&id);
	buf_free(&found);
}

/* RFC 5051, and characters whose capitals are longer. */
static const struct {
	const char *text;
	const char *want;
} casemaps[] = {
	{ "", "" },
	{ "aZ [", "AZ [" },
	{ "\xc7\x84", "Dz\xcc\x8c" }, /* the RFC's own example */
	{ "\xc3\x9f", "\xc3\x9f" },   /* sharp s has no capital */
	{ "\xef\xbc\xa1", "A" },      /* full width */
	{ "\xef\xac\x81", "fi" },     /* a ligature, decomposed last */
	{ "\xc9\x90\xc9\x90", "\xe2\xb1\xaf\xe2\xb1\xaf" },
	{ "\xff"
	  "a",
	  "\xff"
	  "A" }, /* no UTF-8 */
};

static void test_casemap(void)
{
	struct buf b;

	buf_init(&b, 1000);
	for (size_t i = 0; i < sizeof(casemaps) / sizeof(*casemaps); i++) {
		buf_reset(&b);
		mime_collate(&b, casemaps[i].text, strlen(casemaps[i].text));
		is(b.data, casemaps[i].want, casemaps[i].want);
	}
	buf_free(&b);
}

int main(void)
{
	test_message_ids();
	struct buf b;
	size_t i;

	buf_init(&b, 4096);
	mime_charsets_preload();
	for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
		buf_reset(&b);
		mime_decode_words(&b, words[i].value, strlen(words[i].value));
		is(b.data, words[i].want, words[i].promise);
	}
	for (i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		struct arena *a = arena_new();
		size_t n = strlen(parts[i].part);
		bool text;

		buf_reset(&b);
		text = mime_decode_part(&b, parts[i].part,
					mime_parse(a, parts[i].part, n));
		is(text ? b.data : NULL, parts[i].want, parts[i].promise);
		arena_free(&a);
	}
	buf_reset(&b);
	mime_fold_case(&b, "a\r\n B\xc3\xa4", 7);
	is(b.data, "A BA\xcc\x88", "case and white space are folded");
	buf_reset(&b);
	mime_fold_case(&b, "\xc3\xa4\0b", 4);
	ok(b.len == 5 && memcmp(b.data, "A\xcc\x88\0B", 5) == 0,
	   "also behind a NUL");
	test_casemap();
	buf_free(&b);
	return done();
}
