/* Networks, hosts and ports. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "address/networks.h"
#include "admin/check.h"
#include "base/mem.h"

/* A network with fewer bits has more hosts than anybody can know. */
#define BITS_OPEN 8
#define BITS_WIDE_4 16
#define BITS_WIDE_6 32

/* Is the IP address of a network that is not routed on the Internet? */
static bool is_private(const char *ip)
{
	struct strlist words = { 0 };
	struct address_networks *l;
	bool found;

	strlist_split(&words, "10.0.0.0/8 127.0.0.0/8 172.16.0.0/12 "
			      "192.168.0.0/16 169.254.0.0/16 100.64.0.0/10 "
			      "::1 fc00::/7 fe80::/10");
	l = address_networks_new(&words, NULL);
	found = address_networks_have(l, ip);
	address_networks_free(&l);
	strlist_free(&words);
	return found;
}

/* WORD is a network as address_networks_new takes it. */
static void check_width(struct findings *f, const char *word)
{
	const char *slash = strchr(word, '/');
	bool six = strchr(word, ':') != NULL;
	char ip[INET6_ADDRSTRLEN] = "";
	int64_t bits = 128;

	if (*word == '!')
		return;
	word += *word == '[';
	memcpy(ip, word,
	       strcspn(word, "]/") < sizeof(ip) ? strcspn(word, "]/")
						: sizeof(ip) - 1);
	if (slash && !str_to_int(slash + 1, 0, 128, &bits))
		return;
	if (bits < BITS_OPEN)
		check_fault(f,
			    "mynetworks has %s: the whole Internet may send "
			    "anywhere through this host without a login; name "
			    "your own networks",
			    word);
	else if (bits < (six ? BITS_WIDE_6 : BITS_WIDE_4) && !is_private(ip))
		check_warning(f,
			      "mynetworks has %s: are all these hosts yours? "
			      "They may send anywhere without a login",
			      word);
}

static void check_list(struct findings *f, const struct config *c,
		       const char *parameter)
{
	struct address_networks *l;
	struct buf faults;

	buf_init(&faults, 65536);
	l = address_networks_new(config_list(c, parameter), &faults);
	check_faults(f, parameter, &faults);
	address_networks_free(&l);
	buf_free(&faults);
}

static void check_mynetworks(struct findings *f, const struct config *c)
{
	const struct strlist *words = config_list(c, "mynetworks");

	check_list(f, c, "mynetworks");
	check_list(f, c, "haproxy_trusted_networks");
	check_list(f, c, "login_trusted_networks");
	check_list(f, c, "smtpd_authorized_xclient_hosts");
	for (size_t i = 0; i < words->n; i++)
		check_width(f, words->item[i]);
}

static bool is_ip(const char *text)
{
	struct in6_addr a;

	return inet_pton(AF_INET, text, &a) == 1 ||
	       inet_pton(AF_INET6, text, &a) == 1;
}

/* IP or IP@port. */
static bool is_server(const char *text)
{
	char *copy = mem_strdup(text), *at = strchr(copy, '@');
	int64_t port;
	bool good;

	if (at)
		*at = '\0';
	good = is_ip(copy) && (!at || str_to_int(at + 1, 1, 65535, &port));
	free(copy);
	return good;
}

static void check_servers(struct findings *f, const struct config *c)
{
	const struct strlist *l = config_list(c, "resolver_forwarders");
	const struct strlist *stubs = config_list(c, "resolver_stub_zones");

	for (size_t i = 0; i < l->n; i++)
		if (!is_server(l->item[i]))
			check_fault(f,
				    "resolver_forwarders: %s is not IP or "
				    "IP@port",
				    l->item[i]);
	for (size_t i = 0; i < stubs->n; i++) {
		const char *equals = strchr(stubs->item[i], '=');

		if (!equals || !is_server(equals + 1))
			check_fault(f,
				    "resolver_stub_zones: %s is not "
				    "zone=IP@port",
				    stubs->item[i]);
	}
}

void check_network(struct findings *f, const struct config *c)
{
	check_mynetworks(f, c);
	check_servers(f, c);
}
