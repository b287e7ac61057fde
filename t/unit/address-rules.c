/* Networks and classes of domains. */
#include "address/authserv.h"
#include "address/domains.h"
#include "address/networks.h"

#include "tap.h"

static const struct {
	const char *list;
	const char *ip;
	bool in;
} nets[] = {
	{ "127.0.0.0/8 [::1]/128", "127.1.2.3", true },
	{ "127.0.0.0/8 [::1]/128", "128.0.0.1", false },
	{ "127.0.0.0/8 [::1]/128", "::1", true },
	{ "127.0.0.0/8 [::1]/128", "::2", false },
	{ "127.0.0.0/8", "::ffff:127.0.0.1", true },
	{ "192.0.2.1", "192.0.2.1", true },
	{ "192.0.2.1", "192.0.2.2", false },
	{ "192.0.2.64/26", "192.0.2.127", true },
	{ "192.0.2.64/26", "192.0.2.128", false },
	{ "2001:db8::/33", "2001:db8:7fff::1", true },
	{ "2001:db8::/33", "2001:db8:8000::1", false },
	{ "!192.0.2.1 192.0.2.0/24", "192.0.2.1", false },
	{ "!192.0.2.1 192.0.2.0/24", "192.0.2.2", true },
	{ "0.0.0.0/0", "8.8.8.8", true },
	{ "0.0.0.0/0", "::1", false },
	{ "::/0", "8.8.8.8", true },
	{ "", "127.0.0.1", false },
	{ "0.0.0.0/0", "unknown", false },
};

static void test_networks(void)
{
	for (size_t i = 0; i < sizeof(nets) / sizeof(nets[0]); i++) {
		struct strlist words = { 0 };
		struct address_networks *l;

		strlist_split(&words, nets[i].list);
		l = address_networks_new(&words, NULL);
		ok(address_networks_have(l, nets[i].ip) == nets[i].in,
		   "%s %s %s", nets[i].ip, nets[i].in ? "in" : "not in",
		   nets[i].list);
		address_networks_free(&l);
		strlist_free(&words);
	}
}

static void test_bad_networks(void)
{
	static const char *const bad[] = { "192.0.2.1/24", "x",
					   "1.2.3.4/33",   "[::1",
					   "[::1]x",	   "::1/129",
					   "/8",	   "" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct strlist words = { 0 };
		struct address_networks *l;
		struct buf faults;

		buf_init(&faults, 1000);
		strlist_add(&words, bad[i]);
		l = address_networks_new(&words, &faults);
		ok(faults.len > 0, "no network: %s", bad[i]);
		address_networks_free(&l);
		strlist_free(&words);
		buf_free(&faults);
	}
}

static void test_domains(void)
{
	static const char *const set[] = {
		"mydestination=One.example, two.example",
		"virtual_mailbox_domains=three.example two.example",
		"virtual_alias_domains=b\xc3\xbc"
		"cher.example",
		"myhostname=h.example"
	};
	struct buf faults;
	struct config *c;
	struct address_domains *d;

	buf_init(&faults, 1000);
	c = config_load(NULL, set, 4, &faults);
	is(faults.data, "", "the configuration is right");
	d = address_domains_new(c, &faults);
	is(faults.data,
	   "command line: virtual_mailbox_domains: two.example is in "
	   "mydestination, too, which wins: mail to users of the other is "
	   "refused; take it out of one\n",
	   "a domain in two classes is told");
	ok(address_class(d, "one.example") == ADDRESS_LOCAL, "local");
	ok(address_class(d, "two.example") == ADDRESS_LOCAL, "first one wins");
	ok(address_class(d, "three.example") == ADDRESS_VIRTUAL_MAILBOX,
	   "virtual mailboxes");
	ok(address_class(d, "xn--bcher-kva.example") == ADDRESS_VIRTUAL_ALIAS,
	   "virtual aliases, by the A-label");
	ok(address_class(d, "x.one.example") == ADDRESS_REMOTE,
	   "a subdomain is remote");
	ok(address_class(d, "") == ADDRESS_LOCAL, "no domain is local");
	address_domains_free(&d);
	config_free(&c);
	buf_free(&faults);
}

static const struct {
	const char *value;
	bool ours;
} results[] = {
	{ " mail.home.test; spf=pass", true },
	{ "mail.home.test;spf=pass", true },
	{ "MAIL.Home.test 1; spf=pass", true },
	{ "\f mail.home.test; spf=pass", true },
	{ "\v mail.home.test; spf=pass", true },
	{ "\x01mail.home.test; spf=pass", true },
	{ "\xc2\xa0mail.home.test; spf=pass", true },
	{ "\xe2\x80\x83mail.home.test\xe2\x80\x83; spf=pass", true },
	{ "(a (b) \\) c) mail.home.test; spf=pass", true },
	{ "(a\r\n b)\r\n\tmail.home.test(c); spf=pass", true },
	{ "\"mail.home.test\"; spf=pass", true },
	{ "\"mail.\\home.test\"; spf=pass", true },
	{ "mail.home.test.; spf=pass", true },
	{ "=?utf-8?q?mail.home.test?=; spf=pass", true },
	{ "=?utf-8?b?bWFpbC5ob21lLnRlc3Q=?=; spf=pass", true },
	{ "\xef\xbd\x8d" "ail.home.test; spf=pass", true },
	{ "mail.home.test", true },
	{ "mx.other.test; spf=pass smtp.helo=mail.home.test", false },
	{ "mx.other.test (mail.home.test); spf=pass", false },
	{ "xmail.home.test; spf=pass", false },
	{ "mail.home.test.other; spf=pass", false },
	{ "home.test; spf=pass", false },
	{ "", false },
};

static void test_results(void)
{
	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++)
		ok(address_authserv_is(results[i].value,
				       strlen(results[i].value),
				       "mail.home.test") == results[i].ours,
		   "results \"%s\": ours or not", results[i].value);
	ok(address_authserv_is("mail.b\xc3\xbc" "cher.test; x", 21,
			       "mail.xn--bcher-kva.test"),
	   "results in our name as a U-label");
}

int main(void)
{
	test_results();
	test_networks();
	test_bad_networks();
	test_domains();
	return done();
}
