/* Addresses: paths, texts, header lists, splitting. */
#include "address/address.h"

#include "base/encode.h"
#include "base/err.h"
#include "tap.h"

/* TEXT for a line of output; valid until the next call. */
static const char *shown(const char *text)
{
	static struct buf b = { 0 };

	if (!b.data)
		buf_init(&b, 10000);
	buf_reset(&b);
	encode_visible(&b, text, strlen(text));
	return b.data;
}

static const struct {
	const char *in;
	const char *text; /* NULL: refused */
	const char *rest; /* after the path */
} paths[] = {
	{ "<a@b.example>", "a@b.example", "" },
	{ "<a@b.example> SIZE=1", "a@b.example", " SIZE=1" },
	{ "<>", "", "" },
	{ "<> BODY=8BITMIME", "", " BODY=8BITMIME" },
	{ "a@b.example SIZE=1", "a@b.example", " SIZE=1" },
	{ "<Postmaster>", "Postmaster", "" },
	{ "<@x.example,@y.example:a@b.example>", "a@b.example", "" },
	{ "<@x.example>", NULL, NULL },
	{ "<a@B.EXAMPLE>", "a@b.example", "" },
	{ "<\"a b\"@b.example>", "\"a b\"@b.example", "" },
	{ "<\"a>b\"@b.example>", "\"a>b\"@b.example", "" },
	{ "<\"a\\\"b\"@b.example>", "\"a\\\"b\"@b.example", "" },
	{ "<\"plain\"@b.example>", "plain@b.example", "" },
	{ "<\"\"@b.example>", "\"\"@b.example", "" },
	{ "<\"a@c.example\"@b.example>", "\"a@c.example\"@b.example", "" },
	{ "<a@c.example@b.example>", NULL, NULL },
	{ "<a%c.example@b.example>", "a%c.example@b.example", "" },
	{ "<a@[192.0.2.1]>", "a@[192.0.2.1]", "" },
	{ "<a@[IPv6:2001:DB8:0::1]>", "a@[IPv6:2001:db8::1]", "" },
	{ "<a@[192.0.2.256]>", NULL, NULL },
	{ "<a@[x]>", NULL, NULL },
	{ "<a@b.example", NULL, NULL },
	{ "<a b@b.example>", NULL, NULL },
	{ "<a@b example>", NULL, NULL },
	{ "<a@>", NULL, NULL },
	{ "<@b.example>", NULL, NULL },
	{ "<a@-b.example>", NULL, NULL },
	{ "<a@b..example>", NULL, NULL },
	{ "<a@b.example.>", "a@b.example", "" },
	{ "<a@b_c.example>", "a@b_c.example", "" },
	{ "<a..b.@b.example>", "a..b.@b.example", "" },
	{ "<<a@b.example>>", NULL, NULL },
	{ "<a\x01@b.example>", NULL, NULL },
	{ "<\"a\nb\"@b.example>", NULL, NULL },
	{ "<j\xc3\xbcrgen@b\xc3\xbc"
	  "cher.example>",
	  "j\xc3\xbcrgen@xn--bcher-kva.example", "" },
	{ "<a\xff@b.example>", NULL, NULL },
	{ "<a@b.example>junk", "a@b.example", "junk" },
	{ "", NULL, NULL },
	{ "<", NULL, NULL },
};

static void test_paths(void)
{
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		char text[ADDRESS_TEXT_SIZE];
		struct address a, again;
		size_t used;
		int err = address_parse_path(paths[i].in, strlen(paths[i].in),
					     &a, &used);

		if (!paths[i].text) {
			ok(err != ERR_OK, "refused: %s", shown(paths[i].in));
			continue;
		}
		ok(err == ERR_OK &&
			   strcmp(address_text(&a, text), paths[i].text) == 0 &&
			   strcmp(paths[i].in + used, paths[i].rest) == 0,
		   "path %s", shown(paths[i].in));
		if (text[0])
			ok(address_parse(text, strlen(text), &again) ==
					   ERR_OK &&
				   strcmp(again.local, a.local) == 0,
			   "the text of %s parses again", shown(paths[i].in));
	}
}

static const struct {
	const char *in;
	const char *list; /* addresses with a space after each */
	int err;
} headers[] = {
	{ "a@b.example", "a@b.example ", ERR_OK },
	{ " a@b.example, c@d.example\r\n", "a@b.example c@d.example ", ERR_OK },
	{ "John Doe <a@b.example>", "a@b.example ", ERR_OK },
	{ "\"Doe, John\" <a@b.example>", "a@b.example ", ERR_OK },
	{ "\"<x@y.example>\" <a@b.example>", "a@b.example ", ERR_OK },
	{ "John (x@y.example, \\) z) <a@b.example> (c)", "a@b.example ",
	  ERR_OK },
	{ "root (Cron Daemon)", "root ", ERR_OK },
	{ "a@b.example (Name), c", "a@b.example c ", ERR_OK },
	{ "Group: a@b.example, X <c@d.example>;, e@f.example",
	  "a@b.example c@d.example e@f.example ", ERR_OK },
	{ "undisclosed-recipients:;", "", ERR_OK },
	{ "\"a@b.example\": c@d.example;", "c@d.example ", ERR_OK },
	{ "a@b.example\nFrom: x", "x ", ERR_SYNTAX },
	{ "a@b.example List: x;", "x ", ERR_SYNTAX },
	{ "A <a@b.example> From: x", "x ", ERR_SYNTAX },
	{ "<@r.example,@s.example:a@b.example>", "a@b.example ", ERR_OK },
	{ "\"a b\"@c.example", "\"a b\"@c.example ", ERR_OK },
	{ "a . b @ c . example", "a.b@c.example ", ERR_OK },
	{ "a@\r\n b.example", "a@b.example ", ERR_OK },
	{ "John Doe", "", ERR_SYNTAX },
	{ "John Doe, a@b.example", "a@b.example ", ERR_SYNTAX },
	{ "<a@b.example> <c@d.example>", "", ERR_SYNTAX },
	{ "<a@b.example", "", ERR_SYNTAX },
	{ "a@b.example>", "", ERR_SYNTAX },
	{ "=?utf-8?q?J=C3=BCrgen?= <a@b.example>", "a@b.example ", ERR_OK },
	{ "J\xc3\xbcrgen <a@b.example>", "a@b.example ", ERR_OK },
	{ "a@[IPv6:::1]", "a@[IPv6:::1] ", ERR_OK },
	{ "", "", ERR_OK },
	{ ",,", "", ERR_OK },
	{ "<>", "", ERR_OK },
	{ "(unfinished", "", ERR_SYNTAX },
	{ "\"unfinished", "", ERR_SYNTAX },
	{ "a@b\\", "", ERR_SYNTAX },
};

static void test_headers(void)
{
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		struct strlist l = { 0 };
		char all[1000] = "";
		int err = address_header(headers[i].in, strlen(headers[i].in),
					 10, &l);

		for (size_t j = 0; j < l.n; j++) {
			strcat(all, l.item[j]);
			strcat(all, " ");
		}
		ok(err == headers[i].err, "result of \"%s\"",
		   shown(headers[i].in));
		is(all, headers[i].list, shown(headers[i].in));
		strlist_free(&l);
	}
}

static void test_limit(void)
{
	struct strlist l = { 0 };

	ok(address_header("a, b, c", 7, 2, &l) == ERR_LIMIT && l.n == 2,
	   "no more addresses than asked for");
	strlist_free(&l);
}

static const struct {
	const char *local;
	const char *delimiters;
	const char *user;
	const char *extension;
} splits[] = {
	{ "joe+x", "+", "joe", "x" },	   { "joe+x+y", "+", "joe", "x+y" },
	{ "joe", "+", "joe", "" },	   { "+joe", "+", "+joe", "" },
	{ "joe-x", "+-", "joe", "x" },	   { "joe+x", "", "joe+x", "" },
	{ "owner-a", "-", "owner-a", "" }, { "joe+", "+", "joe", "" },
};

static void test_splits(void)
{
	char user[ADDRESS_LOCAL_SIZE], extension[ADDRESS_LOCAL_SIZE];

	for (size_t i = 0; i < sizeof(splits) / sizeof(splits[0]); i++) {
		address_split(splits[i].local, splits[i].delimiters, user,
			      extension);
		ok(strcmp(user, splits[i].user) == 0 &&
			   strcmp(extension, splits[i].extension) == 0,
		   "split of %s at \"%s\"", splits[i].local,
		   splits[i].delimiters);
	}
}

static void test_long(void)
{
	char text[1000];
	struct address a;

	memset(text, 'a', sizeof(text));
	memcpy(text + 300, "@b.example", 10);
	ok(address_parse(text, 310, &a) == ERR_TOO_LONG, "a long local part");
	text[64] = '@';
	ok(address_parse(text, 300, &a) != ERR_OK, "a long label");
	memset(text, '"', sizeof(text));
	ok(address_parse(text, sizeof(text), &a) != ERR_OK, "only quotes");
	ok(address_equal("A@B.example", "a@b.EXAMPLE"), "case is nothing");
	ok(!address_equal("a@b.example", "b@b.example"), "others differ");
}

/* Whatever the bytes are: what parses has a text that parses to the same. */
static void test_noise(void)
{
	static const char bytes[] = "ab@.<>()\",;:\\[] \t\r\n\xc3\xbc%!";
	unsigned seed = 1;
	bool good = true;

	for (int i = 0; i < 100000; i++) {
		char in[24], text[ADDRESS_TEXT_SIZE];
		struct address a, again;
		struct strlist l = { 0 };
		size_t n = 0, used;

		while (n < (size_t)(i % 24)) {
			seed = seed * 1103515245 + 12345;
			in[n++] = bytes[(seed >> 16) % (sizeof(bytes) - 1)];
		}
		if (address_parse(in, n, &a) == ERR_OK) {
			address_text(&a, text);
			good = good &&
			       !address_parse(text, strlen(text), &again) &&
			       strcmp(a.local, again.local) == 0 &&
			       strcmp(a.domain, again.domain) == 0;
		}
		address_parse_path(in, n, &a, &used);
		good = good && used <= n;
		address_header(in, n, 10, &l);
		for (size_t j = 0; j < l.n; j++)
			good = good &&
			       !address_parse(l.item[j], strlen(l.item[j]), &a);
		strlist_free(&l);
	}
	ok(good, "noise");
}

int main(void)
{
	test_noise();
	test_paths();
	test_headers();
	test_limit();
	test_splits();
	test_long();
	return done();
}
