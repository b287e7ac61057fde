/*
 * SPF of authcheck. With the argument `drive` it takes zones and questions
 * from standard input, for t/auth/spf-oracle.t.
 * link: authcheck/spf.c authcheck/spf-match.c authcheck/spf-macro.c authcheck/spf-record.c authcheck/lookup.c
 * libs: LIB_SPF2
 */
#include "authcheck/spf.h"

#include <stdio.h>

#include "authcheck/spf-record.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/encode.h"
#include "t/unit/fake-dns.h"
#include "t/unit/tap.h"

static enum spf ask(const char *client, const char *helo, const char *sender,
		    char *domain)
{
	struct lookup l = { .arena = arena_new(),
			    .until_ms = clock_ms() + 5000 };
	struct spf_question q = { client, helo, sender };
	const char *why;
	enum spf result = spf_check(&l, &q, domain, &why);

	arena_free(&l.arena);
	return result;
}

static const struct {
	const char *promise;
	const char *text;
	bool good;
} grammar[] = {
	{ "plain", "v=spf1 a mx -all", true },
	{ "version alone", "v=spf1", true },
	{ "several spaces", "v=spf1  a   -all ", true },
	{ "case does not matter", "V=SPF1 IP4:192.0.2.1 -ALL", true },
	{ "dual prefix", "v=spf1 a:example.com/24//64", true },
	{ "IPv6 prefix alone", "v=spf1 mx//0", true },
	{ "both prefixes zero", "v=spf1 a/0//0", true },
	{ "leading zero in a prefix", "v=spf1 ip4:192.0.2.1/032", false },
	{ "prefix too long", "v=spf1 ip4:192.0.2.1/33", false },
	{ "IPv6 prefix too long", "v=spf1 ip6:2001:db8::/129", false },
	{ "prefix without number", "v=spf1 a/", false },
	{ "IPv4 prefix for ip6", "v=spf1 ip6:2001:db8::/64//64", false },
	{ "prefix of exists", "v=spf1 exists:example.com/24", false },
	{ "empty domain", "v=spf1 a:", false },
	{ "one label", "v=spf1 a:museum", false },
	{ "digits as last label", "v=spf1 a:111.222.33.44", false },
	{ "final dot", "v=spf1 a:example.com.", true },
	{ "macro at the end", "v=spf1 exists:%{i}._spf.%{d2}", true },
	{ "literal glued to a macro", "v=spf1 exists:%{i}com", false },
	{ "unknown macro letter", "v=spf1 exists:%{x}.example.com", false },
	{ "macro of explanations only", "v=spf1 exists:%{c}.example.com",
	  false },
	{ "zero labels", "v=spf1 exists:%{d0}.example.com", false },
	{ "open macro", "v=spf1 exists:%{d.example.com", false },
	{ "lone percent", "v=spf1 exists:%.example.com", false },
	{ "all with argument", "v=spf1 all:example.com", false },
	{ "include without argument", "v=spf1 include", false },
	{ "unknown mechanism", "v=spf1 ip:192.0.2.1", false },
	{ "unknown modifier", "v=spf1 moo.cow-x_1=%{s} -all", true },
	{ "unknown modifier, bad macro", "v=spf1 moo=%x -all", false },
	{ "two redirects", "v=spf1 redirect=a.example redirect=b.example",
	  false },
	{ "two explanations", "v=spf1 exp=a.example exp=b.example", false },
	{ "qualified modifier", "v=spf1 -redirect=a.example", false },
	{ "tab", "v=spf1\ta", false },
	{ "control character", "v=spf1 a:ctrl.example.com\rptr -all", false },
	{ "not ASCII", "v=spf1 a:b\xc3\xbc.example.com -all", false },
	{ "bad address", "v=spf1 ip4:1.2.3", false },
	{ "IPv6 with zone", "v=spf1 ip6:fe80::1%eth0", false },
};

static void check_grammar(void)
{
	for (size_t i = 0; i < sizeof(grammar) / sizeof(grammar[0]); i++) {
		struct arena *a = arena_new();
		struct spf_record r;
		bool good = spf_record_is(grammar[i].text) &&
			    spf_record_parse(a, grammar[i].text, &r);

		ok(good == grammar[i].good, "grammar: %s", grammar[i].promise);
		arena_free(&a);
	}
}

static const char *const zone[][3] = {
	{ "a.example", "TXT", "v=spf1 ip4:192.0.2.0/24 -all" },
	{ "a.example", "TXT", "some other text" },
	{ "any.example", "TXT", "v=spf1 ip4:0.0.0.0/0 -all" },
	{ "zero.example", "TXT", "v=spf1 a/0 -all" },
	{ "zero.example", "A", "198.51.100.1" },
	{ "mxzero.example", "TXT", "v=spf1 mx/0 -all" },
	{ "mxzero.example", "MX", "10 zero.example" },
	{ "red.example", "TXT", "v=spf1 redirect=a.example ?all" },
	{ "red2.example", "TXT", "v=spf1 redirect=a.example" },
	{ "inc.example", "TXT", "v=spf1 include:%{d1}x.a.example -all" },
	{ "inc2.example", "TXT", "v=spf1 include:a.example ~all" },
	{ "loop.example", "TXT", "v=spf1 include:loop.example" },
	{ "grow.example", "TXT",
	  "v=spf1 redirect=a%{d}%{d}%{d}%{d}.%{d}.grow.example" },
	{ "two.example", "TXT", "v=spf1 -all" },
	{ "two.example", "TXT", "v=spf1 +all" },
	{ "void.example", "TXT",
	  "v=spf1 a:x.example a:y.example a:z.example +all" },
	{ "ten.example", "TXT",
	  "v=spf1 a:zero.example a:zero.example a:zero.example a:zero.example "
	  "a:zero.example a:zero.example a:zero.example a:zero.example "
	  "a:zero.example a:zero.example -all" },
	{ "eleven.example", "TXT",
	  "v=spf1 a:zero.example a:zero.example a:zero.example a:zero.example "
	  "a:zero.example a:zero.example a:zero.example a:zero.example "
	  "a:zero.example a:zero.example a:zero.example -all" },
	{ "temp.example", "TXT", "TIMEOUT" },
	{ "tempa.example", "TXT", "v=spf1 a:temp2.example -all" },
	{ "temp2.example", "A", "TIMEOUT" },
	{ "six.example", "TXT", "v=spf1 ip6:2001:db8::/32 -all" },
	{ "p.example", "TXT", "v=spf1 include:%{p}._spf.example -all" },
	{ "host.example._spf.example", "TXT", "v=spf1 +all" },
	{ "7.2.0.192.in-addr.arpa", "PTR", "host.example" },
	{ "host.example", "A", "192.0.2.7" },
	{ "local.example", "TXT", "v=spf1 exists:%{l}.u.example -all" },
	{ "tom.u.example", "A", "127.0.0.2" },
	{ "exact.example", "TXT", "v=spf1 exists:%{d2}.%{l1}.d.example -all" },
	{ "exact.example.tom.d.example", "A", "127.0.0.2" },
};

static const struct {
	const char *promise, *client, *helo, *sender;
	enum spf want;
} cases[] = {
	{ "address in network", "192.0.2.9", "h.example", "u@a.example",
	  SPF_PASS },
	{ "address outside", "198.51.100.9", "h.example", "u@a.example",
	  SPF_FAIL },
	{ "mapped address counts as IPv4", "::ffff:192.0.2.9", "h.example",
	  "u@a.example", SPF_PASS },
	{ "null sender: HELO", "192.0.2.9", "a.example", "", SPF_PASS },
	{ "loopback has no privilege", "127.0.0.1", "h.example", "u@a.example",
	  SPF_FAIL },
	{ "ip4 with prefix 0", "203.0.113.5", "h.example", "u@any.example",
	  SPF_PASS },
	{ "ip4 with prefix 0 is not for IPv6", "2001:db8::1", "h.example",
	  "u@any.example", SPF_FAIL },
	{ "a with prefix 0", "203.0.113.5", "h.example", "u@zero.example",
	  SPF_PASS },
	{ "mx with prefix 0", "203.0.113.5", "h.example", "u@mxzero.example",
	  SPF_PASS },
	{ "redirect comes last", "203.0.113.5", "h.example", "u@red.example",
	  SPF_NEUTRAL },
	{ "redirect", "203.0.113.5", "h.example", "u@red2.example", SPF_FAIL },
	{ "include of nothing", "203.0.113.5", "h.example", "u@inc.example",
	  SPF_PERMERROR },
	{ "include that fails does not match", "203.0.113.5", "h.example",
	  "u@inc2.example", SPF_SOFTFAIL },
	{ "include of itself", "203.0.113.5", "h.example", "u@loop.example",
	  SPF_PERMERROR },
	{ "names that grow", "203.0.113.5", "h.example", "u@grow.example",
	  SPF_PERMERROR },
	{ "two records", "203.0.113.5", "h.example", "u@two.example",
	  SPF_PERMERROR },
	{ "no record", "203.0.113.5", "h.example", "u@nothing.example",
	  SPF_NONE },
	{ "three voids", "203.0.113.5", "h.example", "u@void.example",
	  SPF_PERMERROR },
	{ "ten lookups", "203.0.113.5", "h.example", "u@ten.example",
	  SPF_FAIL },
	{ "eleven lookups", "203.0.113.5", "h.example", "u@eleven.example",
	  SPF_PERMERROR },
	{ "no answer", "203.0.113.5", "h.example", "u@temp.example",
	  SPF_TEMPERROR },
	{ "no answer for a mechanism", "203.0.113.5", "h.example",
	  "u@tempa.example", SPF_TEMPERROR },
	{ "IPv6 network", "2001:db8:1::1", "h.example", "u@six.example",
	  SPF_PASS },
	{ "the p macro in an include", "192.0.2.7", "h.example", "u@p.example",
	  SPF_PASS },
	{ "local part in a macro", "192.0.2.7", "h.example",
	  "tom@local.example", SPF_PASS },
	{ "as many labels as there are", "192.0.2.7", "h.example",
	  "tom@exact.example", SPF_PASS },
	{ "hostile local part", "192.0.2.7", "h.example",
	  "\"a b\\\"@;()\"@local.example", SPF_FAIL },
	{ "HELO that is no name", "192.0.2.7", "[192.0.2.7]", "", SPF_NONE },
	{ "HELO of one label", "192.0.2.7", "host", "", SPF_NONE },
	{ "client that is no address", "unknown", "h.example", "u@a.example",
	  SPF_NONE },
};

static void check_cases(void)
{
	char domain[256];

	for (size_t i = 0; i < sizeof(zone) / sizeof(zone[0]); i++)
		fake_add(zone[i][0], zone[i][1], zone[i][2]);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum spf got = ask(cases[i].client, cases[i].helo,
				   cases[i].sender, domain);

		ok(got == cases[i].want, "%s: %s", cases[i].promise,
		   spf_word(cases[i].want));
		if (got != cases[i].want)
			printf("# got %s\n", spf_word(got));
	}
	fake_clear();
}

static const char *word(struct buf *b, char **rest)
{
	char *w = strsep(rest, " \n");

	buf_reset(b);
	if (!w || !decode_percent(b, w, strlen(w)))
		exit(2);
	return b->data;
}

/* Lines, words in percent encoding: `clear`, `zone NAME TYPE TEXT`, `check
 * CLIENT HELO SENDER`, which prints the result. */
static int drive(void)
{
	struct buf b[3];
	char line[70000], domain[256];

	for (int i = 0; i < 3; i++)
		buf_init(&b[i], 70000);
	while (fgets(line, sizeof(line), stdin)) {
		char *rest = line, *verb = strsep(&rest, " \n");
		const char *x[3];

		if (strcmp(verb, "clear") == 0) {
			fake_clear();
			continue;
		}
		for (int i = 0; i < 3; i++)
			x[i] = word(&b[i], &rest);
		if (strcmp(verb, "zone") == 0) {
			fake_add(x[0], x[1], x[2]);
			continue;
		}
		puts(spf_word(ask(x[0], x[1], x[2], domain)));
		fflush(stdout);
	}
	for (int i = 0; i < 3; i++)
		buf_free(&b[i]);
	fake_clear();
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "drive") == 0)
		return drive();
	check_grammar();
	check_cases();
	return done();
}
