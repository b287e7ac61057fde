/*
 * The texts of MTA-STS: which are right, which are not.
 * link: remote-send/tls-policy-text.c
 */
#include "remote-send/tls-policy-text.h"

#include "base/buf.h"
#include "t/unit/tap.h"

static const struct {
	const char *promise;
	const char *text;
	bool record;
	const char *id; /* NULL: malformed */
} records[] = {
	{ "a record", "v=STSv1; id=20160831085700Z;", true, "20160831085700Z" },
	{ "no final semicolon, no space", "v=STSv1;id=1", true, "1" },
	{ "a further field", "v=STSv1; x=y; id=a1; z=2", true, "a1" },
	{ "space before the semicolon", "v=STSv1 ; id=1", true, "1" },
	{ "no id", "v=STSv1;", true, NULL },
	{ "an empty id", "v=STSv1; id=;", true, NULL },
	{ "a sign in the id", "v=STSv1; id=1-2", true, NULL },
	{ "33 letters", "v=STSv1; id=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true,
	  NULL },
	{ "another version", "v=STSv2; id=1", false, NULL },
	{ "SPF", "v=spf1 -all", false, NULL },
	{ "empty", "", false, NULL },
	{ "the version without more", "v=STSv1", false, NULL },
};

#define HEAD "version: STSv1\nmode: enforce\n"
#define TAIL "max_age: 100\n"

static const struct {
	const char *promise;
	const char *text;
	bool good;
	enum policy_mode mode;
	int64_t max_age;
	size_t nmx;
} policies[] = {
	{ "a policy", HEAD "mx: a.example\r\nmx: *.b.example\n" TAIL, true,
	  POLICY_ENFORCE, 100, 2 },
	{ "CRLF, any order, no end",
	  "mx:A.Example\r\nmax_age:1\r\nmode:testing\r\nversion:STSv1", true,
	  POLICY_TESTING, 1, 1 },
	{ "mode none needs no mx", "version: STSv1\nmode: none\n" TAIL, true,
	  POLICY_NONE, 100, 0 },
	{ "unknown fields", HEAD "mx: a\nfoo: bar: baz\n" TAIL, true,
	  POLICY_ENFORCE, 100, 1 },
	{ "the first of two counts",
	  HEAD "mx: a\nmode: none\n" TAIL "max_age: 7\n", true, POLICY_ENFORCE,
	  100, 1 },
	{ "too long an age is cut", HEAD "mx: a\nmax_age: 9999999999\n", true,
	  POLICY_ENFORCE, STS_AGE_MAX, 1 },
	{ "enforce without mx", HEAD TAIL, false, 0, 0, 0 },
	{ "no version", "mode: enforce\nmx: a\n" TAIL, false, 0, 0, 0 },
	{ "another version", "version: STSv2\nmode: none\n" TAIL, false, 0, 0,
	  0 },
	{ "another mode", "version: STSv1\nmode: off\n" TAIL, false, 0, 0, 0 },
	{ "no age", HEAD "mx: a\n", false, 0, 0, 0 },
	{ "a negative age", HEAD "mx: a\nmax_age: -1\n", false, 0, 0, 0 },
	{ "a pattern with a space", HEAD "mx: a b\n" TAIL, false, 0, 0, 0 },
	{ "a pattern of a star", HEAD "mx: *\n" TAIL, false, 0, 0, 0 },
	{ "a star inside", HEAD "mx: a.*.b\n" TAIL, false, 0, 0, 0 },
	{ "a line that is no field", HEAD "mx: a\nhello\n" TAIL, false, 0, 0,
	  0 },
	{ "HTML", "<html>\n", false, 0, 0, 0 },
	{ "nothing", "", false, 0, 0, 0 },
};

static const struct {
	const char *pattern;
	const char *host;
	bool match;
} matches[] = {
	{ "mx.a.example", "mx.a.example", true },
	{ "mx.a.example", "MX.A.Example", true },
	{ "*.a.example", "mx.a.example", true },
	{ "*.a.example", "a.example", false },
	{ "*.a.example", "x.mx.a.example", false },
	{ "*.a.example", "mxa.example", false },
	{ "a.example", "mx.a.example", false },
	{ "*.example", "example", false },
};

#define ROWS(a) (sizeof(a) / sizeof((a)[0]))

static void check_record(size_t i)
{
	char id[STS_ID_SIZE];
	bool good = sts_is_record(records[i].text) == records[i].record;

	if (good && records[i].record) {
		bool has = sts_record_id(records[i].text, id);

		good = has == (records[i].id != NULL) &&
		       (!has || strcmp(id, records[i].id) == 0);
	}
	ok(good, "record: %s", records[i].promise);
}

static void check_policy(size_t i)
{
	struct sts_policy p;
	bool good = sts_policy_parse(policies[i].text, strlen(policies[i].text),
				     &p);

	ok(good == policies[i].good &&
		   (!good || (p.mode == policies[i].mode &&
			      p.max_age == policies[i].max_age &&
			      p.mx.n == policies[i].nmx)),
	   "policy: %s", policies[i].promise);
	strlist_free(&p.mx);
}

static void check_many(void)
{
	struct sts_policy p;
	struct buf b;

	buf_init(&b, 1 << 20);
	buf_puts(&b, HEAD TAIL);
	for (int i = 0; i < STS_MX_MAX; i++)
		buf_puts(&b, "mx: a\n");
	ok(sts_policy_parse(b.data, b.len, &p), "100 patterns");
	strlist_free(&p.mx);
	buf_puts(&b, "mx: a\n");
	ok(!sts_policy_parse(b.data, b.len, &p), "101 are too many");
	strlist_free(&p.mx);
	ok(!sts_policy_parse("version: STSv1\0", 15, &p), "a NUL");
	strlist_free(&p.mx);
	buf_free(&b);
}

int main(void)
{
	for (size_t i = 0; i < ROWS(records); i++)
		check_record(i);
	for (size_t i = 0; i < ROWS(policies); i++)
		check_policy(i);
	check_many();
	for (size_t i = 0; i < ROWS(matches); i++) {
		const char *const mx[] = { matches[i].pattern };
		struct policy p = { POLICY_ENFORCE, mx, 1 };

		ok(policy_matches(&p, matches[i].host) == matches[i].match,
		   "%s %s", matches[i].pattern, matches[i].host);
	}
	return done();
}
