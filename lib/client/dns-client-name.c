/* The names of clients. They are looked up at each connection, so the last
 * answers are kept while they are valid. */
#include "client/dns.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"

#define CLIENT_NAMES_MAX 5
#define KEPT 8	      /* answers */
#define KEPT_MS 60000 /* at most, whatever their TTL says */

struct kept {
	char ip[INET6_ADDRSTRLEN];
	char name[256]; /* "" if there is none */
	int64_t until_ms;
};

static struct {
	struct kept kept[KEPT];
	size_t next;
} self;

static const struct kept *find_kept(const char *ip)
{
	int64_t now = clock_ms();

	for (size_t i = 0; i < KEPT; i++)
		if (self.kept[i].until_ms > now &&
		    strcmp(self.kept[i].ip, ip) == 0)
			return &self.kept[i];
	return NULL;
}

static void keep(const char *ip, const char *name, uint32_t ttl)
{
	struct kept *k = &self.kept[self.next];
	int64_t ms = (int64_t)ttl * 1000;

	if (!str_copy(k->ip, sizeof(k->ip), ip) ||
	    !str_copy(k->name, sizeof(k->name), name ? name : "")) {
		k->until_ms = 0;
		return;
	}
	k->until_ms = clock_ms() + (ms < KEPT_MS ? ms : KEPT_MS);
	self.next = (self.next + 1) % KEPT;
}

static bool same_address(int family, const char *a, const char *b)
{
	unsigned char x[16] = { 0 }, y[16] = { 0 };

	return inet_pton(family, a, x) == 1 && inet_pton(family, b, y) == 1 &&
	       memcmp(x, y, sizeof(x)) == 0;
}

/* Does NAME lead back to IP? *TTL becomes the answer's, if that is shorter. */
static bool leads_back(struct arena *a, const char *name, const char *ip,
		       const struct dns_patience *p, bool *temp, uint32_t *ttl)
{
	int family = strchr(ip, ':') ? AF_INET6 : AF_INET;
	const struct dns_answer *d =
		dns_query_within(a, name, family == AF_INET ? "A" : "AAAA", p);

	if (d->status == DNS_TEMP)
		*temp = true;
	if (d->ttl < *ttl)
		*ttl = d->ttl;
	for (size_t i = 0; i < d->n; i++)
		if (same_address(family, d->record[i].text, ip))
			return true;
	return false;
}

/* Asks for the name of the client at IP; *TTL is how long that is valid. */
static const char *ask(struct arena *a, const char *ip,
		       const struct dns_patience *p, bool *temp, uint32_t *ttl)
{
	int64_t until = clock_ms() + p->ms;
	struct dns_patience left = *p;
	const struct dns_answer *d;
	char name[80];

	if (!dns_reverse_name(ip, name, sizeof(name)))
		return NULL;
	d = dns_query_within(a, name, "PTR", p);
	*temp = d->status == DNS_TEMP;
	*ttl = d->ttl;
	for (size_t i = 0; i < d->n && i < CLIENT_NAMES_MAX; i++) {
		left.ms = until - clock_ms();
		if (left.ms <= 0) {
			*temp = true;
			break;
		}
		if (!leads_back(a, d->record[i].text, ip, &left, temp, ttl))
			continue;
		*temp = false;
		return d->record[i].text;
	}
	return NULL;
}

const char *dns_client_name(struct arena *a, const char *ip,
			    const struct dns_patience *p, bool *temp)
{
	const struct kept *k = find_kept(ip);
	const char *name;
	uint32_t ttl = 0;

	*temp = false;
	if (k)
		return *k->name ? arena_strdup(a, k->name) : NULL;
	name = ask(a, ip, p, temp, &ttl);
	if (!*temp)
		keep(ip, name, ttl);
	return name;
}
