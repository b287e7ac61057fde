/*
 * What IMAP says of messages: ENVELOPE, BODY, BODYSTRUCTURE, sections.
 */
#include <stdlib.h>

#include "imaptext/imaptext.h"
#include "imaptext/section.h"
#include "mime/field.h"
#include "mime/param.h"
#include "tap.h"

static const struct {
	const char *promise;
	const char *value;
	const char *want;
} addresses[] = {
	{ "a plain address", "a@b.c", "((NIL NIL \"a\" \"b.c\"))" },
	{ "a name", "Jo Doe <jo@d.e>", "((\"Jo Doe\" NIL \"jo\" \"d.e\"))" },
	{ "a quoted name", "\"Doe, \\\"Jo\\\"\" <jo@d.e>",
	  "((\"Doe, \\\"Jo\\\"\" NIL \"jo\" \"d.e\"))" },
	{ "a name in a comment", "jo@d.e (Jo (x) Doe)",
	  "((\"Jo (x) Doe\" NIL \"jo\" \"d.e\"))" },
	{ "a group", "us: a@b, c@d;, e@f",
	  "((NIL NIL \"us\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")"
	  "(NIL NIL NIL NIL)(NIL NIL \"e\" \"f\"))" },
	{ "an empty group", "undisclosed-recipients:;",
	  "((NIL NIL \"undisclosed-recipients\" NIL)(NIL NIL NIL NIL))" },
	{ "a group left open", "us: a@b",
	  "((NIL NIL \"us\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL))" },
	{ "a route", "<@x,@y:a@b>", "((NIL \"@x,@y\" \"a\" \"b\"))" },
	{ "no host is not NIL", "root", "((NIL NIL \"root\" \"\"))" },
	{ "an empty value", " \r\n ", "NIL" },
	{ "commas alone", ",,;,", "NIL" },
	{ "a quoted local part", "\"a b\"@c", "((NIL NIL \"a b\" \"c\"))" },
	{ "an angle left open", "Jo <a@b", "((\"Jo\" NIL \"a\" \"b\"))" },
	{ "a quote left open", "\"Jo <a@b>", "((\"Jo <a@b>\" NIL \"\" \"\"))" },
	{ "words alone are a name", "Jo Doe, \"x\", g: A. B (c);",
	  "((\"Jo Doe\" NIL \"\" \"\")(\"x\" NIL \"\" \"\")"
	  "(NIL NIL \"g\" NIL)(\"A. B\" NIL \"\" \"\")(NIL NIL NIL NIL))" },
	{ "8-bit bytes in a literal", "J\xc3\xb6 <a@b>",
	  "(({3}\r\nJ\xc3\xb6 NIL \"a\" \"b\"))" },
	{ "an address as a name", "'a@b' (x) c <d@e.f>",
	  "((\"'a@b' (x) c\" NIL \"d\" \"e.f\"))" },
	{ "folding with a tab in quotes", "\"Jo\r\n\tDoe\ta\" <a@b>",
	  "((\"Jo Doe\ta\" NIL \"a\" \"b\"))" },
	{ "folding", "Jo\r\n Doe\r\n <a@b>,\r\n\tc@d",
	  "((\"Jo Doe\" NIL \"a\" \"b\")(NIL NIL \"c\" \"d\"))" },
};

#define PLAIN "\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\""

#define TYPE(params) "Content-Type: application/x; " params "\n\n"
#define APPLICATION(params) \
	"(\"application\" \"x\" " params " NIL NIL \"7bit\" 0)"

static const struct {
	const char *promise;
	const char *message;
	const char *body;
} structures[] = {
	{ "no header at all", "\nhello\n", "(" PLAIN " 7 1)" },
	{ "nothing", "", "(" PLAIN " 0 0)" },
	{ "a header without its end", "A: b", "(" PLAIN " 0 0)" },
	{ "CRLF and LF give one size", "A: b\r\n\r\nx\ny\r\n",
	  "(" PLAIN " 6 2)" },
	{ "a multipart",
	  "Content-Type: multipart/mixed; boundary=\"x y\"\n\npre\n--x y\n"
	  "\na\n--x y \nContent-Type: image/png; name=\"a\\\"b\"\n"
	  "Content-Transfer-Encoding: base64\n\nAA==\n--x y--\nend\n",
	  "((" PLAIN " 1 0)(\"image\" \"png\" (\"name\" \"a\\\"b\") NIL NIL "
	  "\"base64\" 4) \"mixed\")" },
	{ "a multipart that never closes",
	  "Content-Type: multipart/mixed; boundary=b\n\n--b\n\na\n",
	  "((" PLAIN " 3 1) \"mixed\")" },
	{ "a multipart without parts",
	  "Content-Type: multipart/mixed; boundary=b\n\nnothing\n",
	  "((" PLAIN " 0 0) \"mixed\")" },
	{ "a multipart without boundary is text",
	  "Content-Type: multipart/mixed\n\n--b\n\na\n", "(" PLAIN " 10 3)" },
	{ "a boundary in pieces (RFC 2231)",
	  "Content-Type: multipart/mixed; boundary*1=\"d e\"; boundary*0=b\n\n"
	  "--bd e\n\na\n--bd e--\n",
	  "((" PLAIN " 1 0) \"mixed\")" },
	{ "an encoded boundary",
	  "Content-Type: multipart/mixed; boundary*=us-ascii'en'%62%00%2\n\n"
	  "--b%00%2\n\na\n--b%00%2--\n",
	  "((" PLAIN " 1 0) \"mixed\")" },
	{ "a boundary of both kinds of pieces",
	  "Content-Type: multipart/mixed; boundary*0*=''%62; boundary*1=%63\n\n"
	  "--b%63\n\na\n--b%63--\n",
	  "((" PLAIN " 1 0) \"mixed\")" },
	{ "a plain boundary before others",
	  "Content-Type: multipart/mixed; boundary*0=x; boundary=b\n\n"
	  "--b\n\na\n--x\n",
	  "((" PLAIN " 8 2) \"mixed\")" },
	{ "an outer boundary ends inner parts",
	  "Content-Type: multipart/mixed; boundary=o\n\n--o\n"
	  "Content-Type: multipart/alternative; boundary=i\n\n--i\n\na\n"
	  "--o\n\nb\n--o--\n",
	  "(((" PLAIN " 1 0) \"alternative\")(" PLAIN " 1 0) \"mixed\")" },
	{ "a boundary within a header ends the part",
	  "Content-Type: multipart/mixed; boundary=o\n\n--o\nA: b\n--o--\n",
	  "((" PLAIN " 0 0) \"mixed\")" },
	{ "a message in a message",
	  "Content-Type: message/rfc822\n\nSubject: in\n\nhi\n",
	  "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 19 (NIL \"in\" NIL "
	  "NIL NIL NIL NIL NIL NIL NIL) (" PLAIN " 4 1) 3)" },
	{ "message/global is a part as any under IMAP4rev1",
	  "Content-Type: message/global\n\nSubject: in\n\nhi\n",
	  "(\"message\" \"global\" NIL NIL NIL \"7bit\" 19)" },
	{ "parts of a digest are messages",
	  "Content-Type: multipart/digest; boundary=o\n\n--o\n\nA: b\n\nc\n"
	  "--o--\n",
	  "((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 9 (NIL NIL NIL NIL "
	  "NIL NIL NIL NIL NIL NIL) (" PLAIN " 1 0) 2) \"digest\")" },
	{ "a parameter in pieces (RFC 2231) is joined, in their order",
	  TYPE("A*1=y; b=z; a*0=\"x \"; c*0=1"),
	  APPLICATION("(\"A\" \"x y\" \"b\" \"z\" \"c\" \"1\")") },
	{ "a parameter encoded in part is encoded as a whole",
	  TYPE("a*0*=utf-8'en'%e2%82%ac; a*1=\" %b\"; a*2*=%20c"),
	  APPLICATION("(\"a*\" \"utf-8'en'%e2%82%ac%20%25b%20c\")") },
	{ "also if its first piece is plain", TYPE("a*0=\"x'\"; a*1*=%20"),
	  APPLICATION("(\"a*\" \"''x%27%20\")") },
	{ "an encoded parameter that is whole stays", TYPE("a*=utf-8''%41"),
	  APPLICATION("(\"a*\" \"utf-8''%41\")") },
	{ "pieces with one missing stay", TYPE("a*0=x; a*2=y; b*1=z"),
	  APPLICATION("(\"a*0\" \"x\" \"a*2\" \"y\" \"b*1\" \"z\")") },
	{ "pieces with one there twice stay", TYPE("a*0=x; a*0*=y; a*1=z"),
	  APPLICATION("(\"a*0\" \"x\" \"a*0*\" \"y\" \"a*1\" \"z\")") },
	{ "what is no piece stays",
	  TYPE("*0=x; a*00=y; a*x=z; a**=u; a*64=v; a*99999999999999999999=w"),
	  APPLICATION("(\"*0\" \"x\" \"a*00\" \"y\" \"a*x\" \"z\" "
		      "\"a**\" \"u\" \"a*64\" \"v\" "
		      "\"a*99999999999999999999\" \"w\")") },
	{ "a charset in pieces",
	  "Content-Type: text/plain; charset*0=us-; charset*1=ascii\n\n",
	  "(" PLAIN " 0 0)" },
	{ "a type that does not parse is text", "Content-Type: foo\n\na\n",
	  "(" PLAIN " 3 1)" },
};

static const char nested[] = "Subject: outer\n"
			     "Content-Type: multipart/mixed; boundary=o\n"
			     "\n"
			     "--o\n"
			     "X-One: 1\n"
			     "\n"
			     "first\n"
			     "--o\n"
			     "Content-Type: message/rfc822\n"
			     "\n"
			     "Subject: inner\n"
			     "From: a@b\n"
			     "Content-Type: multipart/alternative; boundary=i\n"
			     "\n"
			     "--i\n"
			     "\n"
			     "deep\n"
			     "--i--\n"
			     "--o--\n";

struct section_row {
	const char *section;
	const char *want; /* NULL: there is none */
};

static const struct section_row sections[] = {
	{ "1", "first" },
	{ "1.MIME", "X-One: 1\n\n" },
	{ "1.HEADER", NULL },
	{ "1.1", NULL },
	{ "2.HEADER", "Subject: inner\nFrom: a@b\n"
		      "Content-Type: multipart/alternative; boundary=i\n\n" },
	{ "2.TEXT", "--i\n\ndeep\n--i--" },
	{ "2.1", "deep" },
	{ "2.1.MIME", "\n" },
	{ "2.2", NULL },
	{ "3", NULL },
	{ "MIME", NULL },
	{ "0", NULL },
	{ "1.", NULL },
	{ "1..2", NULL },
	{ "FOO", NULL },
	{ "99999999999", NULL },
};

/* Structures show an empty text in a multipart without parts. */
static const char partless[] =
	"Content-Type: multipart/mixed; boundary=o\n\n--o\n"
	"Content-Type: multipart/mixed; boundary=i\n\nnothing\n--o--\n";

static const struct section_row partless_sections[] = {
	{ "1.1", "" },	   { "1.1.MIME", "" },	   { "1.2", NULL },
	{ "1.1.1", NULL }, { "1.1.HEADER", NULL }, { "2", NULL },
};

static void test_addresses(void)
{
	struct buf b;
	size_t i;

	buf_init(&b, IMAP_TEXT_MAX);
	for (i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
		buf_reset(&b);
		imap_addresses(&b, addresses[i].value,
			       strlen(addresses[i].value));
		is(b.data, addresses[i].want, addresses[i].promise);
	}
	buf_free(&b);
}

static void structure(struct buf *b, const char *message, size_t n)
{
	struct arena *a = arena_new();

	buf_reset(b);
	imap_structure(b, message, mime_parse(a, message, n), false);
	arena_free(&a);
}

static void test_structures(void)
{
	struct buf b;
	size_t i;

	buf_init(&b, IMAP_TEXT_MAX);
	for (i = 0; i < sizeof(structures) / sizeof(*structures); i++) {
		structure(&b, structures[i].message,
			  strlen(structures[i].message));
		is(b.data, structures[i].body, structures[i].promise);
	}
	buf_free(&b);
}

/* message/global under IMAP4rev2 (RFC 9051 section 7.5.2). */
static void test_global(void)
{
	static const char text[] =
		"Content-Type: Message/Global\n\nSubject: in\n\nhi\n";
	struct imap_section s;
	struct arena *a = arena_new();
	const struct mime_part *root = mime_parse_global(a, text, strlen(text));
	size_t at = 0, n = 0;
	struct buf b;

	buf_init(&b, IMAP_TEXT_MAX);
	imap_structure(&b, text, root, false);
	is(b.data,
	   "(\"Message\" \"Global\" NIL NIL NIL \"7bit\" 19 (NIL \"in\" NIL "
	   "NIL NIL NIL NIL NIL NIL NIL) (" PLAIN " 4 1) 3)",
	   "message/global is a message under IMAP4rev2");
	ok(imap_section_parse("1.HEADER", 8, &s) &&
		   imap_section_find(root, &s, &at, &n) && n == 13,
	   "with parts of its own");
	buf_free(&b);
	arena_free(&a);
}

/* One beyond the limits is not shown as a message without its structure. */
static void test_deep_global(void)
{
	struct arena *a = arena_new();
	struct buf text, b;

	buf_init(&text, 1 << 20);
	buf_init(&b, IMAP_TEXT_MAX);
	for (int i = 0; i <= MIME_DEPTH_MAX; i++)
		buf_puts(&text, "Content-Type: message/global\n\n");
	imap_structure(&b, text.data, mime_parse_global(a, text.data, text.len),
		       false);
	ok(strstr(b.data, "(\"application\" \"octet-stream\" NIL"),
	   "too deep: octets");
	buf_free(&b);
	buf_free(&text);
	arena_free(&a);
}

static void test_sections(const char *message, const struct section_row *row,
			  size_t rows)
{
	struct arena *a = arena_new();
	const struct mime_part *root;
	struct imap_section s;
	size_t i, at, n;
	char got[512];

	root = mime_parse(a, message, strlen(message));
	for (i = 0; i < rows; i++) {
		const char *text = row[i].section;
		bool found = imap_section_parse(text, strlen(text), &s) &&
			     imap_section_find(root, &s, &at, &n);

		if (found)
			snprintf(got, sizeof(got), "%.*s", (int)n,
				 message + at);
		is(found ? got : NULL, row[i].want, text);
	}
	arena_free(&a);
}

/* Every prefix of a message gives a tree whose parts lie within it. */
static void test_prefixes(void)
{
	struct buf b;
	size_t n;

	buf_init(&b, IMAP_TEXT_MAX);
	for (n = 0; n < sizeof(nested); n++) {
		char *copy = malloc(n + 1);

		memcpy(copy, nested, n);
		structure(&b, copy, n);
		free(copy);
	}
	ok(!b.over, "every prefix of a message has a structure");
	buf_free(&b);
}

static void test_depth(void)
{
	struct buf m, b;
	int i;

	buf_init(&m, 1 << 20);
	buf_init(&b, IMAP_TEXT_MAX);
	for (i = 0; i < 5000; i++)
		buf_puts(&m, "Content-Type: message/rfc822\n\n");
	structure(&b, m.data, m.len);
	ok(!b.over && strstr(b.data, "octet-stream"),
	   "nesting past the limit is not followed");
	buf_reset(&m);
	buf_puts(&m, "Content-Type: multipart/mixed; boundary=x\n\n");
	for (i = 0; i < 50000; i++)
		buf_puts(&m, "--x\n\na\n");
	structure(&b, m.data, m.len);
	ok(!b.over && b.len < 200000, "parts past the limit are not told");
	buf_free(&m);
	buf_free(&b);
}

static void test_fields(void)
{
	static const char header[] = "A: 1\nb: 2\n 3\r\nC : 4\nnocolon\n\nbody";
	struct strlist names = { NULL, 0 };
	struct buf b;

	buf_init(&b, 4096);
	strlist_split(&names, "B c");
	imap_put_fields(&b, header, sizeof(header) - 1, &names, false);
	is(b.data, "b: 2\r\n 3\r\nC : 4\r\n\r\n", "HEADER.FIELDS");
	buf_reset(&b);
	imap_put_fields(&b, header, sizeof(header) - 1, &names, true);
	is(b.data, "A: 1\r\nnocolon\r\n\r\n", "HEADER.FIELDS.NOT");
	ok(mime_header_size(header, sizeof(header) - 1) == sizeof(header) - 5,
	   "the header ends after the empty line");
	strlist_free(&names);
	buf_free(&b);
}

/* Content that comes in piece by piece: each end looked for but once. */
static const struct {
	const char *promise;
	const char *content;
	size_t want;
} header_ends[] = {
	{ "a header and a body", "A: b\r\n\r\nc\r\n", 8 },
	{ "an empty line at once: no header", "\r\nc\r\n", 2 },
	{ "no empty line", "A: b\r\nc\r\n", 0 },
	{ "bare LF ends no line here", "A: b\n\nc\r\n", 0 },
	{ "nothing", "", 0 },
};

static void test_header_end(void)
{
	for (size_t i = 0; i < sizeof(header_ends) / sizeof(*header_ends);
	     i++) {
		const char *text = header_ends[i].content;
		size_t n = strlen(text), k, end = 0;

		ok(mime_header_end(text, n, 0) == header_ends[i].want,
		   "header's end: %s", header_ends[i].promise);
		for (k = 1; k <= n && end == 0; k++)
			end = mime_header_end(text, k, k - 1);
		ok(end == header_ends[i].want && (!end || k - 1 == end),
		   "and byte by byte");
	}
}

static const struct {
	const char *promise;
	const char *value; /* of Content-Transfer-Encoding */
	const char *want;
} encodings[] = {
	{ "encoding: as it should be", "base64", "base64" },
	{ "encoding: with a comment", " Base64 (x)", "Base64" },
	{ "encoding: with a blank", "7 bit", "7bit" },
	{ "encoding: with much else", "quoted (x) -\n printable ; y",
	  "quoted-printable" },
	{ "encoding: with another word", "base64 foo", "base64" },
	{ "encoding: with a parameter", "8bit; foo", "8bit" },
	{ "encoding: not known", "X-UU", "X-UU" },
	{ "encoding: empty", "", "7bit" },
	{ "encoding: no token", "[8bit]", "7bit" },
};

static void test_encodings(void)
{
	struct buf b;

	buf_init(&b, 4096);
	for (size_t i = 0; i < sizeof(encodings) / sizeof(*encodings); i++) {
		struct arena *a = arena_new();

		buf_reset(&b);
		buf_printf(&b, "A: b\nContent-Transfer-Encoding: %s\n\n",
			   encodings[i].value);
		is(mime_encoding(a, b.data, b.len), encodings[i].want,
		   encodings[i].promise);
		arena_free(&a);
	}
	buf_free(&b);
}

static const struct {
	const char *subject;
	const char *want;
} subjects[] = {
	{ "b", "b" },
	{ " Re: \tb  c ", "b c" },
	{ "re[2] : [x] fwd:b (fwd) (FWD)", "b" },
	{ "[a] [b] c", "c" },
	{ "[a] [b]", "[b]" },
	{ "[a] re: [b]", "[b]" },
	{ "[fwd: [FWD: re: b (fwd)]] (fwd)", "b" },
	{ "[fwd: b] c", "c" },
	{ "[fwd:]", "" },
	{ "Re:", "" },
	{ "Re: Re", "Re" },
	{ "[", "[" },
	{ "[[x] b", "[[x] b" },
	{ "re: [x", "[x" },
	{ "Reb: c", "Reb: c" },
	{ "", "" },
};

static void test_subjects(void)
{
	static const char *const replies[] = { "Re: b",	    "fw[x]:b",
					       "[fwd: b]",  "b (fwd)",
					       "[a] Re: b", "Re:" };
	static const char *const others[] = { "[a] b", "b", "Reb: c", "" };
	struct buf b;
	size_t i;

	buf_init(&b, 1 << 20);
	for (i = 0; i < sizeof(subjects) / sizeof(*subjects); i++) {
		buf_reset(&b);
		imap_base_subject(&b, subjects[i].subject,
				  strlen(subjects[i].subject));
		is(b.data, subjects[i].want, subjects[i].subject);
	}
	for (i = 0; i < sizeof(replies) / sizeof(*replies); i++)
		ok(imap_base_subject(&b, replies[i], strlen(replies[i])),
		   "an answer: %s", replies[i]);
	for (i = 0; i < sizeof(others) / sizeof(*others); i++)
		ok(!imap_base_subject(&b, others[i], strlen(others[i])),
		   "none: %s", others[i]);
	buf_free(&b);
}

/* Whoever writes subjects must not make us work long. */
static void test_long_subjects(void)
{
	static const char *const pieces[] = { "[]", "re:",   "[fwd:",
					      "]",  "(fwd)", "[a]re:" };
	struct buf in, out;

	buf_init(&in, 1 << 20);
	buf_init(&out, 1 << 20);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
		buf_reset(&in);
		buf_reset(&out);
		for (int n = 0; n < 100000; n++)
			buf_puts(&in, pieces[i]);
		imap_base_subject(&out, in.data, in.len);
		ok(!out.over && out.len <= in.len, "a long row of %s",
		   pieces[i]);
	}
	buf_free(&in);
	buf_free(&out);
}

static void test_envelope(void)
{
	static const char header[] =
		"Date: Tue, 24 Nov 2026 02:00:00 +0000\n"
		"Subject: a\r\n \"b\"\nFrom: jo@d.e\nSender:\n"
		"Subject: second\nTo: a@b\nTo: c@d\nIn-Reply-To: "
		"<x@y>\nMessage-Id: <1@d.e>\n\n";
	struct buf b;

	buf_init(&b, 4096);
	imap_envelope(&b, header, sizeof(header) - 1);
	is(b.data,
	   "(\"Tue, 24 Nov 2026 02:00:00 +0000\" \"a \\\"b\\\"\" "
	   "((NIL NIL \"jo\" \"d.e\")) ((NIL NIL \"jo\" \"d.e\")) "
	   "((NIL NIL \"jo\" \"d.e\")) "
	   "((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")) NIL NIL \"<x@y>\" "
	   "\"<1@d.e>\")",
	   "an empty Sender and a missing Reply-To are From");
	buf_free(&b);
}

int main(void)
{
	test_addresses();
	test_structures();
	test_global();
	test_deep_global();
	test_sections(nested, sections, sizeof(sections) / sizeof(*sections));
	test_sections(partless, partless_sections,
		      sizeof(partless_sections) / sizeof(*partless_sections));
	test_prefixes();
	test_depth();
	test_fields();
	test_header_end();
	test_encodings();
	test_subjects();
	test_long_subjects();
	test_envelope();
	return done();
}
