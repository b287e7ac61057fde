/*
 * The Authentication-Results field: nothing in it that comes from outside can
 * end it, add a result or hide one.
 * link: authcheck/results.c authcheck/spf.c authcheck/spf-match.c authcheck/spf-macro.c authcheck/spf-record.c authcheck/lookup.c authcheck/dkim-verify.c authcheck/dkim-signature.c authcheck/dkim-library.c authcheck/dkim-key.c authcheck/dkim-length.c authcheck/tags.c authcheck/message.c authcheck/dmarc.c authcheck/dmarc-record.c
 * libs: LIB_SPF2 LIB_DKIM LIB_DMARC LIB_PSL
 */
#include "authcheck/results.h"

#include "t/unit/tap.h"

#define HOST "mx.example.com"

static const char *const hostile[] = {
	"a; dmarc=pass header.from=bank.example",
	"a\r\nAuthentication-Results: mx.example.com; dmarc=pass",
	"a\r\n\r\nbody",
	"a\" ; dmarc=pass \"",
	"a\\",
	"a\\\"; dmarc=pass",
	"a (comment",
	"a) dmarc=pass (",
	"a=b;c=d",
	"\x01\x7f\xff\xfe",
	"\xc3\xbc.example",
	" ",
	"<>",
	"user@a@b; dmarc=pass",
	"\"quoted; spf=pass\"@example.org",
	"user name@example.org",
	"user@exa mple.org",
	"(x)@example.org",
	"user@",
	"@",
};

/* A small reader of the field: strict, so that what it takes cannot be read
 * in two ways. Counts the results; 0 if it does not parse. */
static int count_results(const char *field)
{
	const char *p = field + strlen("Authentication-Results: ");
	int semicolons = 0;

	for (; *p; p++) {
		if (*p == '"') {
			for (p++; *p && *p != '"'; p++) {
				if (*p == '\\')
					p++;
				if (*p < ' ' || *p > '~')
					return 0;
			}
			if (!*p)
				return 0;
		} else if (strncmp(p, "\r\n\t", 3) == 0) {
			p += 1 + strspn(p + 2, "\t");
		} else if (strcmp(p, "\r\n") == 0) {
			return semicolons;
		} else if (*p < ' ' || *p > '~') {
			return 0;
		} else {
			semicolons += *p == ';';
		}
	}
	return 0;
}

static struct buf write_with(const char *value)
{
	struct dkim_result dkim = {
		.signature = { { DKIM_FAIL, value, value, value, value,
				 value } },
		.n = 1,
	};
	struct dmarc_result dmarc = { DMARC_FAIL, DMARC_P_REJECT,
				      DMARC_P_REJECT, false, value };
	struct results r = { SPF_FAIL, value, value, value, &dkim, &dmarc };
	struct buf b;

	buf_init(&b, 1 << 20);
	results_write(&b, HOST, &r);
	return b;
}

static size_t longest_line(const char *text)
{
	size_t longest = 0;

	while (*text) {
		size_t n = strcspn(text, "\n");

		longest = n > longest ? n : longest;
		text += n + (text[n] == '\n');
	}
	return longest;
}

static void check_plain(void)
{
	struct dkim_result dkim = {
		.signature = { { DKIM_PASS, "", "example.org", "s1",
				 "rsa-sha256", "abcd/efgh1234" } },
		.n = 1,
		.summary = DKIM_PASS,
	};
	struct dmarc_result dmarc = { DMARC_PASS, DMARC_P_REJECT, DMARC_P_NONE, false,
				      "example.org" };
	struct results r = { SPF_PASS,	  "",	 "joe@example.org",
			     "h.example", &dkim, &dmarc };
	struct buf b;

	buf_init(&b, 65536);
	results_write(&b, HOST, &r);
	is(b.data,
	   "Authentication-Results: mx.example.com;\r\n"
	   "\tspf=pass smtp.mailfrom=joe@example.org;\r\n"
	   "\tdkim=pass header.d=example.org header.s=s1 "
	   "header.a=rsa-sha256\r\n"
	   "\t\theader.b=\"abcd/efg\";\r\n"
	   "\tdmarc=pass (p=reject dis=none) header.from=example.org\r\n",
	   "a field as people know it");
	buf_reset(&b);
	dkim.n = 0;
	dkim.summary = DKIM_NONE;
	r.sender = "";
	dmarc.result = DMARC_NONE;
	results_write(&b, HOST, &r);
	is(b.data,
	   "Authentication-Results: mx.example.com;\r\n"
	   "\tspf=pass smtp.helo=h.example;\r\n"
	   "\tdkim=none;\r\n"
	   "\tdmarc=none header.from=example.org\r\n",
	   "null sender, no signature, no policy");
	buf_free(&b);
}

int main(void)
{
	char longer[5000];
	struct buf b;

	check_plain();
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		b = write_with(hostile[i]);
		if (!ok(count_results(b.data) == 3,
			"hostile value %zu stays a value", i))
			printf("# %s\n", b.data);
		buf_free(&b);
	}
	memset(longer, '"', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	b = write_with(longer);
	ok(count_results(b.data) == 3 && longest_line(b.data) < 998,
	   "long values are cut, lines stay short");
	buf_free(&b);
	return done();
}
