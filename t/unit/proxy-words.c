/* The words of login_proxy_maps and the users file. */
#include <string.h>

#include "table/proxy.h"
#include "table/user-line.h"
#include "tap.h"

static const struct {
	const char *name;
	const char *text;
	bool lenient;
	const char *fault; /* NULL: none */
} cases[] = {
	{ "a host", "host=imap.example.org", false, NULL },
	{ "as Dovecot writes it", "proxy=y host=10.0.0.1 starttls=any-cert",
	  false, NULL },
	{ "all words",
	  "proxy_maybe=y host=a.test hostip=::1 port=1 imap_port=2 pop3_port=3 "
	  "ssl=yes destuser=b master=m pass=p proxy_not_trusted "
	  "proxy_timeout=9s",
	  false, NULL },
	{ "no host", "proxy ssl=yes", false, "host= is missing" },
	{ "a host with a slash", "host=a/b", false,
	  "host is not the name or address of a host" },
	{ "a port beside the host", "host=a.test:143", false,
	  "host is not the name or address of a host" },
	{ "an IPv6 address", "host=2001:db8::1", false, NULL },
	{ "an address that is a name", "host=a.test hostip=b.test", false,
	  "hostip is not an IP address" },
	{ "port 0", "host=a port=0", false,
	  "port is not a number from 1 to 65535" },
	{ "misspelt TLS", "host=a ssl=any", false,
	  "ssl wants yes, any-cert or no" },
	{ "a misspelt word", "host=a sll=yes", false,
	  "there is a word that is not known" },
	{ "but in the users file there are others",
	  "proxy host=a userdb_mail=maildir:/x", true, NULL },
	{ "a word that begins like another", "host=a portal=1", false,
	  "there is a word that is not known" },
	{ "a master without a password", "host=a master=m", false,
	  "master= needs pass=" },
	{ "a door for everybody", "host=a nopassword pass=p", false,
	  "with nopassword and pass= anybody could log in" },
	{ "too much time", "host=a proxy_timeout=5m", false,
	  "proxy_timeout is not 1 to 60 s" },
};

static void test_cases(void)
{
	struct proxy_target t;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *fault =
			proxy_read(cases[i].text, cases[i].lenient, &t);

		ok((!fault && !cases[i].fault) ||
			   (fault && cases[i].fault &&
			    strcmp(fault, cases[i].fault) == 0),
		   "%s: %s", cases[i].name, fault ? fault : "good");
	}
}

static void test_defaults(void)
{
	struct proxy_target t;

	ok(!proxy_read("host=a.test", false, &t) && t.tls == PROXY_STARTTLS &&
		   !t.any_cert,
	   "without a word TLS is asked for, and proved");
	ok(t.forwards && !t.nopassword && !t.maybe && !*t.ip && t.port == 0,
	   "and nothing else is said");
	ok(!proxy_read("host=a.test ssl=no", false, &t) && t.tls == PROXY_CLEAR,
	   "clear text is a word of its own");
	ok(!proxy_read("host=192.0.2.1", false, &t) &&
		   strcmp(t.ip, "192.0.2.1") == 0,
	   "an address needs no look-up");
}

static void test_line(void)
{
	static const struct user_defaults defaults = { 8, 8, "/mail" };
	char there[] = "a@b.test:::::::proxy host=10.0.0.1";
	char wrong[] = "a@b.test:::::::proxy host=10.0.0.1 port=x";
	char other[] = "a@b.test:::::::host=10.0.0.1";
	const char *why;
	struct user *u = user_parse(there, &defaults, &why);

	ok(u && !why && u->proxy, "the users file: a user of another host");
	user_free(u);
	u = user_parse(wrong, &defaults, &why);
	ok(u && why && u->proxy && !u->refused,
	   "a fault is told, and mail goes on");
	user_free(u);
	u = user_parse(other, &defaults, &why);
	ok(u && !why && !u->proxy, "without proxy the words mean nothing");
	user_free(u);
	ok(!proxy_is_meant("proxy_timeout=5 hostproxy") &&
		   proxy_is_meant("x  proxy_maybe"),
	   "proxy is a whole word");
}

int main(void)
{
	test_cases();
	test_defaults();
	test_line();
	return done();
}
