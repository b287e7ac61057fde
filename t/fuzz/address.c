/* Addresses: the text of a parsed one parses again to the same address, and
 * holds nothing that a line, a packet or a log could be broken with. */
#include "fuzz.h"

#include <string.h>

#include "address/address.h"
#include "address/authserv.h"
#include "base/err.h"

FUZZ_SEEDS("user@example.org", "<a.b+c@x.example>", "<>",
	   "\"a b\\\"c\"@[192.0.2.1]",
	   "<@a.example,@b.example:u@[IPv6:2001:db8::1]> SIZE=1",
	   "j\xc3\xb6rg@b\xc3\xbc"
	   "cher.example",
	   "MAILER-DAEMON",
	   "A (c (d)) <a@b>, \"x, y\" <@r:q@z.example>;, grp: a@b, c@d;, e\r\n "
	   "f@g",
	   "undisclosed-recipients:;", "=?utf-8?q?a?= <x@y.z>, <\"\"@a>")

static void check(const struct address *a)
{
	char text[ADDRESS_TEXT_SIZE], again[ADDRESS_TEXT_SIZE];
	char user[ADDRESS_LOCAL_SIZE], extension[ADDRESS_LOCAL_SIZE];
	struct address b;

	address_text(a, text);
	for (const char *p = text; *p; p++)
		FUZZ_CHECK((unsigned char)*p >= ' ' && *p != '\x7f');
	if (!address_is_null(a)) {
		FUZZ_CHECK(address_parse(text, strlen(text), &b) == ERR_OK);
		FUZZ_CHECK(strcmp(address_text(&b, again), text) == 0);
		FUZZ_CHECK(strcmp(a->local, b.local) == 0);
		FUZZ_CHECK(address_equal(text, again));
	}
	address_split(a->local, "+-", user, extension);
}

static void check_header(const char *data, size_t n)
{
	struct strlist list = { 0 };
	struct address a;

	address_header(data, n, 20, &list);
	FUZZ_CHECK(list.n <= 20);
	for (size_t i = 0; i < list.n; i++)
		FUZZ_CHECK(address_parse(list.item[i], strlen(list.item[i]),
					 &a) == ERR_OK);
	strlist_free(&list);
}

/* However a field goes on, ours stays ours. */
static void check_results(const char *data, size_t n)
{
	struct buf b;

	buf_init(&b, n + 64);
	buf_puts(&b, " mail.home.test; ");
	buf_put(&b, data, n);
	address_authserv_is(data, n, "mail.home.test");
	FUZZ_CHECK(address_authserv_is(b.data, b.len, "mail.home.test"));
	buf_free(&b);
}

void fuzz_one(const char *data, size_t n)
{
	char domain[ADDRESS_DOMAIN_SIZE], again[ADDRESS_DOMAIN_SIZE];
	struct address a;
	size_t used = 0;

	check_results(data, n);
	if (address_parse(data, n, &a) == ERR_OK)
		check(&a);
	if (address_parse_path(data, n, &a, &used) == ERR_OK) {
		FUZZ_CHECK(used <= n);
		check(&a);
	}
	if (address_domain(data, n, domain) == ERR_OK) {
		FUZZ_CHECK(address_domain(domain, strlen(domain), again) ==
			   ERR_OK);
		FUZZ_CHECK(strcmp(domain, again) == 0);
	}
	check_header(data, n);
}
