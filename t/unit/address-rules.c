/* Networks and classes of domains. */
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
	   "virtual_mailbox_domains: two.example is in mydestination already\n",
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

int main(void)
{
	test_networks();
	test_bad_networks();
	test_domains();
	return done();
}
