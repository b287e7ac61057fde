/*
 * DMARC: records, alignment, discovery, verdict.
 * link: authcheck/dmarc.c authcheck/dmarc-record.c authcheck/from.c authcheck/lookup.c authcheck/tags.c
 * libs: LIB_DMARC LIB_PSL
 */
#include "authcheck/dmarc.h"

#include "base/buf.h"
#include "base/clock.h"
#include "t/unit/fake-dns.h"
#include "t/unit/tap.h"

enum { NO, GOOD, NOT_DMARC };

static const struct {
	const char *promise;
	const char *text;
	int parsed;
	struct dmarc_record want;
} records[] = {
	{ "plain",
	  "v=DMARC1; p=reject",
	  GOOD,
	  { DMARC_P_REJECT, DMARC_P_REJECT, false, false, 100 } },
	{ "all tags",
	  "v=DMARC1; p=quarantine; sp=none; adkim=s; aspf=s; pct=20; "
	  "rua=mailto:a@b.example; fo=1; rf=afrf; ri=86400; x-new=1",
	  GOOD,
	  { DMARC_P_QUARANTINE, DMARC_P_NONE, true, true, 20 } },
	{ "no spaces, final semicolon",
	  "v=DMARC1;p=none;",
	  GOOD,
	  { DMARC_P_NONE, DMARC_P_NONE, false, false, 100 } },
	{ "spaces around",
	  " v = DMARC1 ; p = reject ",
	  GOOD,
	  { DMARC_P_REJECT, DMARC_P_REJECT, false, false, 100 } },
	{ "policy in upper case",
	  "v=DMARC1; p=REJECT",
	  GOOD,
	  { DMARC_P_REJECT, DMARC_P_REJECT, false, false, 100 } },
	{ "names of tags in upper case",
	  "V=DMARC1; P=reject; SP=Quarantine; ADKIM=S; AspF=S; PCT=20",
	  GOOD,
	  { DMARC_P_REJECT, DMARC_P_QUARANTINE, true, true, 20 } },
	{ "of a tag twice the first, in any case",
	  "v=DMARC1; P=reject; p=none",
	  GOOD,
	  { DMARC_P_REJECT, DMARC_P_REJECT, false, false, 100 } },
	{ "reports in upper case",
	  "v=DMARC1; RUA=mailto:a@b.example",
	  GOOD,
	  { DMARC_P_NONE, DMARC_P_NONE, false, false, 100 } },
	{ "mixed version", "v=Dmarc1; p=reject", NOT_DMARC, { 0 } },
	{ "version in lower case", "v=dmarc1; p=reject", NOT_DMARC, { 0 } },
	{ "version not first", "p=reject; v=DMARC1", NOT_DMARC, { 0 } },
	{ "no version", "p=reject", NOT_DMARC, { 0 } },
	{ "version with more", "v=DMARC10; p=reject", NOT_DMARC, { 0 } },
	{ "no policy", "v=DMARC1", NO, { 0 } },
	{ "shortened policy", "v=DMARC1; p=r", NO, { 0 } },
	{ "no policy but reports",
	  "v=DMARC1; rua=mailto:a@b.example",
	  GOOD,
	  { DMARC_P_NONE, DMARC_P_NONE, false, false, 100 } },
	{ "bad sub-domain policy but reports",
	  "v=DMARC1; p=reject; sp=x; rua=mailto:a@b.example",
	  GOOD,
	  { DMARC_P_NONE, DMARC_P_NONE, false, false, 100 } },
	{ "bad sub-domain policy", "v=DMARC1; p=reject; sp=x", NO, { 0 } },
	{ "reports to nowhere", "v=DMARC1; rua=nobody", NO, { 0 } },
	{ "bad pct and adkim mean the defaults",
	  "v=DMARC1; p=reject; pct=200; adkim=x",
	  GOOD,
	  { DMARC_P_REJECT, DMARC_P_REJECT, false, false, 100 } },
	{ "of a tag twice the first",
	  "v=DMARC1; p=none; p=reject",
	  GOOD,
	  { DMARC_P_NONE, DMARC_P_NONE, false, false, 100 } },
	{ "what is no tag is passed over",
	  "v=DMARC1; p=reject; hello;;",
	  GOOD,
	  { DMARC_P_REJECT, DMARC_P_REJECT, false, false, 100 } },
};

/* RFC 7489 section 6.3 sets no limit. */
static void check_many_tags(void)
{
	struct arena *a = arena_new();
	struct dmarc_record r;
	struct buf b;

	buf_init(&b, 65536);
	buf_puts(&b, "v=DMARC1;");
	for (int i = 0; i < 2000; i++)
		buf_printf(&b, " t%d=x;", i);
	buf_puts(&b, " p=reject; sp=quarantine");
	ok(dmarc_record_is(b.data) && dmarc_record_parse(a, b.data, &r) &&
		   r.p == DMARC_P_REJECT && r.sp == DMARC_P_QUARANTINE,
	   "record: a policy behind 2000 other tags");
	buf_free(&b);
	arena_free(&a);
}

static bool same(const struct dmarc_record *a, const struct dmarc_record *b)
{
	return a->p == b->p && a->sp == b->sp &&
	       a->strict_dkim == b->strict_dkim &&
	       a->strict_spf == b->strict_spf && a->pct == b->pct;
}

static void check_records(void)
{
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		struct arena *a = arena_new();
		struct dmarc_record r = { .pct = -1 };
		const char *text = records[i].text;
		int got = NOT_DMARC;

		if (dmarc_record_is(text))
			got = dmarc_record_parse(a, text, &r) ? GOOD : NO;
		ok(got == records[i].parsed &&
			   (got != GOOD || same(&r, &records[i].want)),
		   "record: %s", records[i].promise);
		arena_free(&a);
	}
}

static const struct {
	const char *a, *b;
	bool relaxed, strict;
} aligned[] = {
	{ "example.com", "example.com", true, true },
	{ "mail.example.com", "example.com", true, false },
	{ "example.com", "mail.example.com", true, false },
	{ "a.b.example.com", "c.example.com", true, false },
	{ "example.com", "example.org", false, false },
	{ "example.com", "notexample.com", false, false },
	{ "a.com", "b.com", false, false },
	{ "x.a.com", "x.b.com", false, false },
	{ "a.example.com", "b.example.com", true, false },
	{ "a.co.uk", "b.co.uk", false, false },
	{ "m.a.co.uk", "a.co.uk", true, false },
	{ "co.uk", "a.co.uk", false, false },
	{ "co.uk", "co.uk", true, true },
	{ "github.io", "me.github.io", false, false },
	{ "me.github.io", "you.github.io", false, false },
	{ "com", "example.com", false, false },
	{ "a.b.kobe.jp", "c.b.kobe.jp", false, false },
	{ "x.city.kobe.jp", "y.city.kobe.jp", true, false },
	{ "www.ck", "x.www.ck", true, false },
	{ "a.b.ck", "c.b.ck", false, false },
	{ "x.unknowntld", "y.unknowntld", false, false },
	{ "a.x.unknowntld", "b.x.unknowntld", true, false },
	{ "xn--bcher-kva.example", "a.xn--bcher-kva.example", true, false },
};

static void check_alignment(void)
{
	for (size_t i = 0; i < sizeof(aligned) / sizeof(aligned[0]); i++) {
		const char *a = aligned[i].a, *b = aligned[i].b;

		ok(dmarc_aligned(a, b, false) == aligned[i].relaxed &&
			   dmarc_aligned(b, a, false) == aligned[i].relaxed,
		   "%s and %s, relaxed: %d", a, b, aligned[i].relaxed);
		ok(dmarc_aligned(a, b, true) == aligned[i].strict &&
			   dmarc_aligned(b, a, true) == aligned[i].strict,
		   "%s and %s, strict: %d", a, b, aligned[i].strict);
	}
}

static const char *const zone[][2] = {
	{ "_dmarc.reject.example", "v=DMARC1; p=reject; sp=quarantine" },
	{ "_dmarc.strict.example", "v=DMARC1; p=reject; adkim=s; aspf=s" },
	{ "_dmarc.zero.example", "v=DMARC1; p=reject; pct=0" },
	{ "_dmarc.two.example", "v=DMARC1; p=reject" },
	{ "_dmarc.two.example", "v=DMARC1; p=none" },
	{ "_dmarc.other.example", "v=spf1 -all" },
	{ "_dmarc.other.example", "v=DMARC1; p=quarantine" },
	{ "_dmarc.temp.example", "TIMEOUT" },
	{ "_dmarc.none.example", "v=DMARC1; p=none" },
	{ "_dmarc.capitals.example", "V=DMARC1; P=REJECT" },
};

static const struct {
	const char *promise;
	const char *from; /* the whole header */
	enum spf spf;
	const char *spf_domain;
	enum dkim_verdict dkim;
	const char *dkim_domain;
	enum dmarc want;
	enum dmarc_policy disposition;
} verdicts[] = {
	{ "aligned SPF", "From: a@reject.example\r\n", SPF_PASS,
	  "reject.example", DKIM_NONE, "", DMARC_PASS, DMARC_P_NONE },
	{ "aligned DKIM", "From: a@reject.example\r\n", SPF_FAIL, "x.example",
	  DKIM_PASS, "m.reject.example", DMARC_PASS, DMARC_P_NONE },
	{ "nothing passes", "From: a@reject.example\r\n", SPF_FAIL,
	  "reject.example", DKIM_FAIL, "reject.example", DMARC_FAIL,
	  DMARC_P_REJECT },
	{ "proofs of another domain", "From: a@reject.example\r\n", SPF_PASS,
	  "evil.example", DKIM_PASS, "evil.example", DMARC_FAIL,
	  DMARC_P_REJECT },
	{ "a record in capitals", "From: a@capitals.example\r\n", SPF_FAIL,
	  "capitals.example", DKIM_NONE, "", DMARC_FAIL, DMARC_P_REJECT },
	{ "softfail is no pass", "From: a@reject.example\r\n", SPF_SOFTFAIL,
	  "reject.example", DKIM_NONE, "", DMARC_FAIL, DMARC_P_REJECT },
	{ "DKIM against our policy is no pass", "From: a@reject.example\r\n",
	  SPF_NONE, "", DKIM_POLICY, "reject.example", DMARC_FAIL,
	  DMARC_P_REJECT },
	{ "sub-domain by sp", "From: a@sub.reject.example\r\n", SPF_NONE, "",
	  DKIM_NONE, "", DMARC_FAIL, DMARC_P_QUARANTINE },
	{ "strict alignment", "From: a@strict.example\r\n", SPF_PASS,
	  "m.strict.example", DKIM_PASS, "m.strict.example", DMARC_FAIL,
	  DMARC_P_REJECT },
	{ "pct=0 is the milder policy", "From: a@zero.example\r\n", SPF_NONE,
	  "", DKIM_NONE, "", DMARC_FAIL, DMARC_P_QUARANTINE },
	{ "two records are none", "From: a@two.example\r\n", SPF_NONE, "",
	  DKIM_NONE, "", DMARC_NONE, DMARC_P_NONE },
	{ "other records do not matter", "From: a@other.example\r\n", SPF_NONE,
	  "", DKIM_NONE, "", DMARC_FAIL, DMARC_P_QUARANTINE },
	{ "no answer", "From: a@temp.example\r\n", SPF_NONE, "", DKIM_NONE, "",
	  DMARC_TEMPERROR, DMARC_P_NONE },
	{ "no record", "From: a@nothing.example\r\n", SPF_PASS,
	  "nothing.example", DKIM_NONE, "", DMARC_NONE, DMARC_P_NONE },
	{ "temporary failure of an aligned key", "From: a@reject.example\r\n",
	  SPF_NONE, "", DKIM_TEMPERROR, "reject.example", DMARC_TEMPERROR,
	  DMARC_P_NONE },
	{ "temporary failure of another's key", "From: a@reject.example\r\n",
	  SPF_TEMPERROR, "evil.example", DKIM_TEMPERROR, "evil.example",
	  DMARC_FAIL, DMARC_P_REJECT },
	{ "p=none", "From: a@none.example\r\n", SPF_NONE, "", DKIM_NONE, "",
	  DMARC_FAIL, DMARC_P_NONE },
	{ "upper case", "From: a@REJECT.example\r\n", SPF_PASS,
	  "reject.example", DKIM_NONE, "", DMARC_PASS, DMARC_P_NONE },
	{ "no From", "Subject: x\r\n", SPF_PASS, "reject.example", DKIM_NONE,
	  "", DMARC_PERMERROR, DMARC_P_NONE },
	{ "two From fields: the strictest counts",
	  "From: a@none.example\r\nFrom: b@reject.example\r\n", SPF_PASS,
	  "none.example", DKIM_NONE, "", DMARC_PERMERROR, DMARC_P_REJECT },
	{ "two domains in From: the strictest counts",
	  "From: a@none.example, b@reject.example\r\n", SPF_PASS,
	  "none.example", DKIM_NONE, "", DMARC_PERMERROR, DMARC_P_REJECT },
	{ "two authors of one domain",
	  "From: a@reject.example, b@reject.example\r\n", SPF_PASS,
	  "reject.example", DKIM_NONE, "", DMARC_PASS, DMARC_P_NONE },
	{ "a name that looks like an address",
	  "From: \"a@none.example\" <b@reject.example>\r\n", SPF_PASS,
	  "none.example", DKIM_NONE, "", DMARC_FAIL, DMARC_P_REJECT },
	{ "an address in a comment",
	  "From: b@reject.example (a@none.example)\r\n", SPF_PASS,
	  "none.example", DKIM_NONE, "", DMARC_FAIL, DMARC_P_REJECT },
	{ "garbage in From", "From: <<a@reject.example\r\n", SPF_NONE, "",
	  DKIM_NONE, "", DMARC_PERMERROR, DMARC_P_REJECT },
	{ "folded From", "From: Some One\r\n\t<a@reject.example>\r\n", SPF_NONE,
	  "", DKIM_NONE, "", DMARC_FAIL, DMARC_P_REJECT },
};

static void check_verdicts(void)
{
	for (size_t i = 0; i < sizeof(zone) / sizeof(zone[0]); i++)
		fake_add(zone[i][0], "TXT", zone[i][1]);
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		struct lookup l = { .arena = arena_new(),
			    .until_ms = clock_ms() + 5000 };
		char header[1000];
		struct message m = { .data = header };
		struct dkim_result dkim = {
			.signature = { { verdicts[i].dkim, "",
					 verdicts[i].dkim_domain, "s", "",
					 "" } },
			.n = verdicts[i].dkim != DKIM_NONE,
		};
		struct dmarc_proofs p = { verdicts[i].spf,
					  verdicts[i].spf_domain, &dkim };
		struct dmarc_result r;
		struct from from;

		snprintf(header, sizeof(header), "To: x@y.example\r\n%s",
			 verdicts[i].from);
		m.header = m.ndata = m.body = strlen(header);
		from_find(&m, &from);
		dmarc_check(&l, &from, &p, &r);
		if (!ok(r.result == verdicts[i].want &&
				r.disposition == verdicts[i].disposition,
			"verdict: %s", verdicts[i].promise))
			printf("# got %s, %d of %s\n", dmarc_word(r.result),
			       r.disposition, r.domain);
		arena_free(&l.arena);
	}
	fake_clear();
}

int main(void)
{
	if (dmarc_prepare("", true))
		return 1;
	check_records();
	check_many_tags();
	check_alignment();
	check_verdicts();
	return done();
}
