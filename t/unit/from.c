/*
 * Whom a reader sees and whom DMARC judges: IMAP's ENVELOPE beside from_find,
 * over fields made at random. With the argument `drive` it takes headers, in
 * hexadecimal, from standard input and says what is judged of each, for
 * t/auth/from-oracle.t.
 * link: authcheck/from.c
 */
#include "authcheck/from.h"

#include <stdint.h>
#include <stdlib.h>

#include "address/address.h"
#include "base/encode.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "imaptext/imaptext.h"
#include "t/unit/tap.h"

#define FIELDS 20000

static void find(char *header, size_t n, struct from *f)
{
	struct message m = { .data = header, .ndata = n, .header = n };

	from_find(&m, f);
}

static const struct {
	const char *promise;
	const char *header;
	const char *domains; /* in their order */
	bool fault;
} cases[] = {
	{ "an address", "From: a@b.example\r\n", "b.example", false },
	{ "a name", "From: \"A, B\" <a@b.example>\r\n", "b.example", false },
	{ "two authors", "From: a@b.example, c@d.example\r\n",
	  "b.example d.example", false },
	{ "a group", "From: us: a@b.example;\r\n", "b.example", false },
	{ "a literal", "From: a@[192.0.2.1]\r\n", "", false },
	{ "an IPv6 literal", "From: a@[IPv6:2001:db8::1]\r\n", "", false },
	{ "an address as a name", "From: \"a@b.example\" <c@d.example>\r\n",
	  "d.example", false },
	{ "one in < > as a name", "From: \"<a@b.example>\" <c@d.example>\r\n",
	  "d.example b.example", false },
	{ "one in < > as an encoded name",
	  "From: =?utf-8?q?=3Ca=40b.example=3E?= <c@d.example>\r\n",
	  "d.example b.example", false },
	{ "one in < > in a comment", "From: c@d.example (<a@b.example>)\r\n",
	  "d.example b.example", false },
	{ "a name without quotes", "From: A @ B <a@b.example>\r\n",
	  "b.example b ba", false },
	{ "U-labels", "From: a@b\xc3\xbc" "cher.example\r\n",
	  "xn--bcher-kva.example", false },
	{ "one in < > in UTF-7",
	  "From: =?utf-7?q?+ADw-a+AEA-b.example+AD4-?= <c@d.example>\r\n",
	  "d.example b.example", false },
	{ "one in UTF-7 by its old name",
	  "From: =?Unicode-1-1-UTF-7?b?K0FEdy1hK0FFQS1iLmV4YW1wbGUrQUQ0LQ==?= "
	  "<c@d.example>\r\n",
	  "d.example b.example", false },
	{ "one in UTF-16",
	  "From: =?utf-16be?b?ADwAYQBAAGIALgB4AD4=?= <c@d.example>\r\n",
	  "d.example b.x", false },
	{ "one in EBCDIC",
	  "From: =?cp037?q?=4C=81=7C=82=4B=A7=6E?= <c@d.example>\r\n",
	  "d.example b.x", false },
	{ "a charset that we do not know and that may hide one",
	  "From: =?UTF-5?q?abc?= <c@d.example>\r\n", "d.example", true },
	{ "a charset that nobody knows",
	  "From: =?x-unknown?q?J=F6rg?= <c@d.example>\r\n", "d.example",
	  false },
	{ "a name in a PC's code page",
	  "From: =?cp850?q?J=94rg?= <c@d.example>\r\n", "d.example", false },
	{ "a charset with a long language",
	  "From: =?utf-8*x-0123456789-0123456789-0123456789-0123456789-"
	  "0123456789-0123456789?q?=3Ca=40b.example=3E?= <c@d.example>\r\n",
	  "d.example b.example", false },
	{ "full-width forms",
	  "From: \xef\xbc\x9c" "a\xef\xbc\xa0" "b.example\xef\xbc\x9e "
	  "<c@d.example>\r\n",
	  "d.example b.example b.examplec", false },
	{ "small forms in quotes",
	  "From: \"\xef\xb9\xa4" "a\xef\xb9\xab" "b.example\xef\xb9\xa5\" "
	  "<c@d.example>\r\n",
	  "d.example b.example", false },
	{ "full-width forms in an encoded word",
	  "From: =?utf-8?q?=EF=BC=9Ca=EF=BC=A0b=EF=BC=8Eexample=EF=BC=9E?= "
	  "<c@d.example>\r\n",
	  "d.example b.example", false },
	{ "full-width forms in a Japanese word",
	  "From: =?iso-2022-jp?b?GyRCIWMbKEJhGyRCIXcbKEJiLngbJEIhZBsoQg==?= "
	  "<c@d.example>\r\n",
	  "d.example b.x", false },
	{ "a full-width @ in the address",
	  "From: c@d.example, a\xef\xbc\xa0" "b.example\r\n",
	  "d.example b.example", false },
	{ "a full-width @ in the only address",
	  "From: a\xef\xbc\xa0" "b.example\r\n", "b.example", true },
	{ "a full-width @ in a name",
	  "From: \xe5\xb1\xb1\xef\xbc\xa0\xe6\x9d\xb1 <c@d.example>\r\n",
	  "d.example xn--7rv xn--c-596b", false },
	{ "text glued to an encoded word",
	  "From: =?utf-8?q?a=40b.example?=oe <c@d.example>\r\n",
	  "d.example b.exampleoe b.exampleoec b.example", false },
	{ "an encoded address, and a dot after the real one",
	  "From: =?utf-8?q?a=40b.example?= <c@d.example.>\r\n",
	  "d.example b.example b.examplec", false },
	{ "an encoded word with < in it",
	  "From: =?utf-8?q?=27a=40b.ex<ample=27_by_L?=c@d.example>\r\n",
	  "d.example b.ex b.example", false },
	{ "an encoded word with another in it",
	  "From: =?utf-8?b?YUA@=?utf-8?q?b.example?==?= <c@d.example>\r\n",
	  "d.example", true },
	{ "an encoded address that stands apart",
	  "From: =?utf-8?q?a=40b.example?= <c@d.example>\r\n", "d.example",
	  false },
	{ "no field", "Subject: x\r\n", "", true },
	{ "two fields", "From: a@b.example\r\nfrom : a@b.example\r\n",
	  "b.example", true },
	{ "no address", "From: root\r\n", "", true },
	{ "an empty field", "From:\r\n", "", true },
	{ "a domain that is none", "From: a@b..example\r\n", "", true },
	{ "eight domains", "From: a@a.a, a@b.a, a@c.a, a@d.a, a@e.a, a@f.a, "
			   "a@g.a, a@h.a, a@a.a\r\n",
	  "a.a b.a c.a d.a e.a f.a g.a h.a", false },
	{ "nine domains", "From: a@a.a, a@b.a, a@c.a, a@d.a, a@e.a, a@f.a, "
			  "a@g.a, a@h.a, a@i.a\r\n",
	  "a.a b.a c.a d.a e.a f.a g.a h.a", true },
};

static void put_domains(struct buf *b, const struct from *f)
{
	buf_reset(b);
	for (size_t i = 0; i < f->n; i++)
		buf_printf(b, "%s%s", i ? " " : "", f->domain[i]);
}

static void check_cases(void)
{
	struct buf b;

	buf_init(&b, 65536);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *header = mem_strdup(cases[i].header);
		struct from f;

		find(header, strlen(header), &f);
		put_domains(&b, &f);
		is(b.data, cases[i].domains, cases[i].promise);
		ok(!f.fault == !cases[i].fault, "%s: fault or none",
		   cases[i].promise);
		free(header);
	}
	buf_free(&b);
}

/* ENVELOPE, read as a client does */

/* A string, or NIL as "", at *P into OUT. */
static void read_string(const char **p, struct buf *out)
{
	buf_reset(out);
	if (strncmp(*p, "NIL", 3) == 0) {
		*p += 3;
	} else if (**p == '{') {
		char *end;
		size_t n = strtoul(*p + 1, &end, 10);

		buf_put(out, end + 3, n);
		*p = end + 3 + n;
	} else if (**p == '"') {
		for (++*p; **p != '"'; ++*p) {
			*p += **p == '\\';
			buf_putc(out, **p);
		}
		++*p;
	}
	*p += **p == ' ';
}

/* Is each host of the list at P judged, or the message refused? */
static bool is_judged(const char *p, const struct from *f)
{
	char domain[ADDRESS_DOMAIN_SIZE];
	bool good = true;
	struct buf b;

	buf_init(&b, 1 << 20);
	for (p++; *p == '(' && good && !f->fault; p++) {
		size_t i = 0;

		p++;
		for (int k = 0; k < 4; k++)
			read_string(&p, &b);
		if (b.len == 0)
			continue;
		good = address_domain(b.data, b.len, domain) == ERR_OK;
		while (good && i < f->n && !str_equal(f->domain[i], domain))
			i++;
		good = good && (i < f->n || domain[0] == '[');
	}
	buf_free(&b);
	return good;
}

static const char *const pieces[] = {
	"ceo", "a", "Joe Public", "@", "@", "@", "bank.example", "x.example",
	"x.example", "bank", ".", ".example", "<", "<", ">", ">", "(", ")",
	"\"", "\"", "\\", " ", " ", "\r\n ", "\t", ",", ",", ";", ":", "[",
	"]", "=?utf-8?q?ceo=40bank.example?=", "=?utf-8?b?PGFAYi5jPg==?=",
	"\xff", "\xc3\xbc", "\xef\xbd\x82", "\xe3\x80\x82", "\x01", "\x7f",
	"<ceo@bank.example>", "ceo@bank.example", "=", "?", "!", "%", "'",
	"\xc2\xad", "-", "_", "group:", "192.0.2.1", "\xef\xbc\xa0",
	"\xef\xbc\x9c", "\xef\xbc\x9e", "=?utf-7?q?+ADw-a+AEA-b.c+AD4-?=",
};

static uint32_t next(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static void make_header(struct buf *b, uint32_t *state)
{
	size_t n = next(state) % 12 + 1;

	buf_reset(b);
	buf_puts(b, "From: ");
	while (n--)
		buf_puts(b, pieces[next(state) % (sizeof(pieces) /
						  sizeof(pieces[0]))]);
	if (next(state) % 20 == 0)
		b->data[6 + next(state) % (b->len - 6)] = '\0';
	buf_puts(b, "\r\n");
}

static void check_random(void)
{
	uint32_t state = 2463534242;
	int bad = 0, refused = 0;
	struct buf header, out;

	buf_init(&header, 65536);
	buf_init(&out, IMAP_TEXT_MAX);
	for (int i = 0; i < FIELDS; i++) {
		const char prefix[] = "(NIL NIL ";
		struct from f;

		make_header(&header, &state);
		find(header.data, header.len, &f);
		buf_reset(&out);
		imap_envelope(&out, header.data, header.len);
		refused += f.fault != NULL;
		if (is_judged(out.data + strlen(prefix), &f))
			continue;
		if (bad++ < 5)
			printf("# %s# %s\n", header.data, out.data);
	}
	ok(bad == 0, "of %d fields no one shows what is not judged", FIELDS);
	ok(refused < FIELDS - 1000, "and %d of them are refused", refused);
	buf_free(&header);
	buf_free(&out);
}

static int drive(void)
{
	static char line[1 << 20];
	struct buf header, b;

	buf_init(&header, sizeof(line));
	buf_init(&b, 65536);
	while (fgets(line, sizeof(line), stdin)) {
		struct from f;

		buf_reset(&header);
		if (!decode_hex(&header, line, strcspn(line, "\n")))
			return 1;
		find(header.data, header.len, &f);
		put_domains(&b, &f);
		printf("%s %s\n", f.fault ? "fault" : "good", b.data);
		fflush(stdout);
	}
	buf_free(&header);
	buf_free(&b);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "drive") == 0)
		return drive();
	check_cases();
	check_random();
	return done();
}
