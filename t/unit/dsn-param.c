/* ENVID and ORCPT: each byte value in each place, both ways. */
#include "smtp/dsn-param.h"

#include <string.h>

#include "tap.h"

#define SIZE 8192

typedef bool step(struct buf *out, const char *in, bool raw);

static bool envid_in(struct buf *out, const char *in, bool raw)
{
	(void)raw;
	return smtp_envid_decode(out, in);
}

static const struct {
	const char *name;
	step *decode;
	const char *in;
	bool raw;
	const char *plain; /* NULL: refused */
} cases[] = {
	{ "digits of either case", envid_in, "+2fa+2Fb", false, "/a/b" },
	{ "an equals sign", envid_in, "a=b", false, NULL },
	{ "half a code", envid_in, "a+2", false, NULL },
	{ "a line end", envid_in, "a+0D+0Ab", false, NULL },
	{ "NUL", envid_in, "a+00b", false, NULL },
	{ "nothing", envid_in, "", false, NULL },
	{ "the type is not decoded", smtp_orcpt_decode,
	  "rf+20NOTIFY=NEVER+20X;a@c.test", false, NULL },
	{ "nor may it hold a blank", smtp_orcpt_decode, "r f;a", false, NULL },
	{ "a type is needed", smtp_orcpt_decode, ";a", false, NULL },
	{ "and an address", smtp_orcpt_decode, "rfc822;", false, NULL },
	{ "other types are as good", smtp_orcpt_decode, "x400;/a+3Db/", false,
	  "x400;/a=b/" },
	{ "7-bit form of RFC 6533", smtp_orcpt_decode,
	  "utf-8;j\\x{F6}\\x{5C}@x", false, "utf-8;j\xc3\xb6\\@x" },
	{ "raw form", smtp_orcpt_decode, "UTF-8;j\xc3\xb6@x", true,
	  "UTF-8;j\xc3\xb6@x" },
	{ "raw form without SMTPUTF8", smtp_orcpt_decode, "utf-8;j\xc3\xb6@x",
	  false, NULL },
	{ "xtext of bytes", smtp_orcpt_decode, "utf-8;+C3+b6@x", false,
	  "utf-8;\xc3\xb6@x" },
	{ "no UTF-8", smtp_orcpt_decode, "utf-8;+C3@x", false, NULL },
	{ "a control character", smtp_orcpt_decode, "utf-8;\\x{A}", false,
	  NULL },
	{ "one of ISO 6429", smtp_orcpt_decode, "utf-8;\\x{85}", false, NULL },
	{ "NUL by its code point", smtp_orcpt_decode, "utf-8;a\\x{0}b", false,
	  NULL },
	{ "a surrogate", smtp_orcpt_decode, "utf-8;\\x{D800}", false, NULL },
	{ "beyond Unicode", smtp_orcpt_decode, "utf-8;\\x{110000}", false,
	  NULL },
	{ "a backslash alone", smtp_orcpt_decode, "utf-8;a\\b", false, NULL },
	{ "UTF-8 of another type", smtp_orcpt_decode, "rfc822;\xc3\xb6@x", true,
	  NULL },
};

static void test_cases(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out;
		bool good;

		buf_init(&out, SIZE);
		good = cases[i].decode(&out, cases[i].in, cases[i].raw);
		if (cases[i].plain)
			is(good ? out.data : "refused", cases[i].plain,
			   cases[i].name);
		else
			ok(!good, "%s is refused", cases[i].name);
		buf_free(&out);
	}
}

/* A parameter's value: no blank, no control character, no "=". */
static bool is_value(const char *s, bool raw)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c <= 32 || c == 127 || c == '=' || (c > 127 && !raw))
			return false;
	}
	return true;
}

/* PLAIN is encoded and decoded again, or is no value at all. */
static bool comes_back(const char *plain, bool raw)
{
	struct buf code, again;
	bool good;

	buf_init(&code, SIZE);
	buf_init(&again, SIZE);
	good = smtp_orcpt_encode(&code, plain, raw)
		       ? is_value(code.data, raw) &&
				 smtp_orcpt_decode(&again, code.data, raw) &&
				 strcmp(again.data, plain) == 0
		       : code.len == 0;
	buf_free(&code);
	buf_free(&again);
	return good;
}

static void test_bytes(void)
{
	static const char *const shapes[] = { "a\1b;c@d",	"rfc822;a\1b@c",
					      "rfc822;\1",	"utf-8;a\1b@c",
					      "utf-8;\xc3\1@c", "\1rfc822;a" };
	unsigned wrong = 0, good = 0;

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		for (int c = 1; c < 256; c++) {
			char plain[40];

			strcpy(plain, shapes[i]);
			*strchr(plain, 1) = (char)c;
			wrong += !comes_back(plain, false);
			wrong += !comes_back(plain, true);
			good += smtp_orcpt_is_plain(plain);
		}
	ok(wrong == 0, "each byte comes back, or none of it goes out");
	ok(good > 300 && good < 700, "about half of them may be: %u", good);
}

int main(void)
{
	test_cases();
	test_bytes();
	return done();
}
