/*
 * What strangers publish in the DNS: SPF, DKIM, DMARC, MTA-STS records, and
 * answers of the DNS itself.
 *
 * link: authcheck/dkim-key.c authcheck/tags.c authcheck/spf.c authcheck/spf-match.c authcheck/spf-macro.c authcheck/spf-record.c authcheck/lookup.c authcheck/dmarc-record.c remote-send/tls-policy-text.c resolver/wire.c
 * libs: LIB_SPF2 LIB_DMARC
 */
#include "fuzz.h"

#include "authcheck/dkim-key.h"
#include "authcheck/dmarc-record.h"
#include "authcheck/spf-record.h"
#include "authcheck/spf.h"
#include "authcheck/tags.h"
#include "base/clock.h"
#include "remote-send/tls-policy-text.h"
#include "resolver/wire.h"
#include "t/unit/fake-dns.h"

FUZZ_SEEDS("v=spf1 a mx/24//64 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all",
	   "v=spf1 include:x.test exists:%{ir}.%{v}._spf.%{d2} redirect=y.test",
	   "v=spf1 ptr:x ~exists:%{l1r-}%{o}%{h}%{c}%{t}%%%_%- exp=z",
	   "v=DKIM1; k=rsa; h=sha256; t=s:y; p=MIGfMA0GCSqGSIb3DQEB", "p=",
	   "v=DMARC1; p=reject; sp=none; pct=50; adkim=s; rua=mailto:a@b!10m",
	   "v=STSv1; id=20260101;",
	   "version: STSv1\r\nmode: enforce\r\nmx: *.x.test\r\nmax_age: 1\r\n")

static void check_spf(struct arena *a, const char *text)
{
	struct lookup l = { .arena = a, .until_ms = clock_ms() + 5000 };
	static const struct spf_question q[] = {
		{ "192.0.2.3", "x.test", "a.b@x.test" },
		{ "2001:db8::5", "x.test", "" }
	};
	struct spf_record r;
	char domain[256];
	const char *why;

	if (!spf_record_is(text))
		return;
	spf_record_parse(a, text, &r);
	fake_clear();
	fake_add("x.test", "TXT", text);
	fake_add("x.test", "A", "192.0.2.3");
	fake_add("x.test", "MX", "5 x.test");
	spf_check(&l, &q[strlen(text) % 2], domain, &why);
}

static void check_sts(const char *text, size_t n)
{
	struct sts_policy p;
	char id[STS_ID_SIZE];

	if (sts_is_record(text))
		sts_record_id(text, id);
	sts_policy_parse(text, n, &p);
	strlist_free(&p.mx);
}

void fuzz_one(const char *data, size_t n)
{
	struct arena *a = arena_new();
	const char *text = arena_strndup(a, data, n);
	struct wire_answer w = { 0 };
	struct dmarc_record d;
	struct tags t;

	tags_parse(a, data, n, &t);
	dkim_key_fault(a, text, "rsa-sha256");
	dkim_key_fault(a, text, "ed25519-sha256");
	check_spf(a, text);
	if (dmarc_record_is(text))
		dmarc_record_parse(a, text, &d);
	check_sts(text, n);
	wire_read((const unsigned char *)data, n, "x.test", wire_type("MX"),
		  &w);
	strlist_free(&w.record);
	arena_free(&a);
}
