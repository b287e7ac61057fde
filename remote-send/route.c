#include "remote-send/route.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/str.h"

static unsigned draw(void)
{
	unsigned lot = 0;

	/* without randomness any order will do */
	if (getrandom(&lot, sizeof(lot), GRND_NONBLOCK) < 0)
		return 0;
	return lot;
}

static int compare_hosts(const void *a, const void *b)
{
	const struct route_host *x = a, *y = b;

	if (x->preference != y->preference)
		return x->preference < y->preference ? -1 : 1;
	return x->lot < y->lot ? -1 : x->lot > y->lot;
}

/* Removes the hosts that are not preferred to us (RFC 5321 section 5.1: a
 * relay must not send to itself, or back). */
static void cut_at_us(const struct settings *set, struct route *r)
{
	for (size_t i = 0; i < r->n; i++) {
		if (!str_equal_ci(r->host[i].name, set->myhostname))
			continue;
		while (i > 0 &&
		       r->host[i - 1].preference == r->host[i].preference)
			i--;
		r->n = i;
	}
}

/* The usable ones of N MX records, in the order in which they are tried: our
 * own and those not preferred to it are removed, and ties are broken at
 * random. False, and F, if none is left. DOMAIN is for the text. */
static bool order_records(const struct settings *set, struct arena *a,
			  const char *domain, const struct dns_record *mx,
			  size_t n, struct route *r, struct fault *f)
{
	*r = (struct route){ .mx = true };
	r->host = arena_alloc(a, (n + 1) * sizeof(*r->host));
	for (size_t i = 0; i < n; i++)
		if (strcmp(mx[i].text, ".") != 0)
			r->host[r->n++] =
				(struct route_host){ mx[i].text,
						     mx[i].preference, draw() };
	if (r->n == 0) {
		/* null MX, RFC 7505 section 4.1 */
		fault_set(f, "5.1.10",
			  "Domain %s does not accept mail (nullMX)", domain);
		return false;
	}
	qsort(r->host, r->n, sizeof(*r->host), compare_hosts);
	cut_at_us(set, r);
	if (r->n > ROUTE_HOSTS_MAX)
		r->n = ROUTE_HOSTS_MAX;
	if (r->n == 0)
		fault_loop(f, domain);
	return r->n > 0;
}

static void one_host(struct arena *a, const char *name, struct route *r)
{
	r->host = arena_alloc(a, sizeof(*r->host));
	r->host[0].name = name;
	r->n = 1;
}

static bool fault_of_dns(struct fault *f, const struct dns_answer *d,
			 const char *name, const char *type)
{
	if (d->status == DNS_TEMP)
		fault_set(f, "4.4.3",
			  "Host or domain name not found. Name service error "
			  "for name=%s type=%s: %s",
			  name, type, d->why);
	else
		fault_set(f, d->status == DNS_NO_NAME ? "5.1.2" : "5.4.4",
			  "Host or domain name not found. Name service error "
			  "for name=%s type=%s: %s",
			  name, type,
			  d->status == DNS_NO_NAME
				  ? "Host not found"
				  : "Host found but no data "
				    "record of requested type");
	f->ours = d->away;
	return false;
}

bool route_find(const struct settings *set, struct arena *a, int64_t ms,
		const struct hop *hop, struct route *r, struct fault *f)
{
	const struct dns_answer *d;
	bool good;

	*r = (struct route){ .address = hop->address };
	if (!hop->mx) {
		one_host(a, hop->name, r);
		return true;
	}
	d = dns_query(a, hop->name, "MX", ms);
	if (d->status == DNS_TEMP || d->status == DNS_NO_NAME)
		return fault_of_dns(f, d, hop->name, "MX");
	if (d->status == DNS_NO_DATA) {
		/* the implicit MX of RFC 5321 section 5.1 */
		one_host(a, hop->name, r);
		good = true;
	} else {
		good = order_records(set, a, hop->name, d->record, d->n, r, f);
	}
	r->secure = d->security == DNS_SECURE;
	return good;
}

/* Takes what D has, each second place beginning at FROM. */
static void take_addresses(const struct dns_answer *d, size_t *from,
			   struct route_addresses *out)
{
	for (size_t i = 0; d && i < d->n && *from < ROUTE_ADDRESSES_MAX; i++) {
		out->ip[*from] = d->record[i].text;
		*from += 2;
	}
}

/* A host with both families is tried with each in turn, so that a broken one
 * costs one attempt; which comes first is random. */
static void mix(const struct dns_answer *v4, const struct dns_answer *v6,
		struct route_addresses *out)
{
	size_t first = draw() & 1, at4 = first, at6 = 1 - first;

	take_addresses(v4, &at4, out);
	take_addresses(v6, &at6, out);
	for (size_t i = 0; i < ROUTE_ADDRESSES_MAX; i++)
		if (out->ip[i])
			out->ip[out->n++] = out->ip[i];
}

/* RFC 5321 section 5.1, RFC 2181 section 10.3: an MX names a host with
 * addresses, not an alias. */
static bool is_alias(const struct route *r, const struct dns_answer *d,
		     const char *name)
{
	return r->mx && d && d->status == DNS_FOUND &&
	       !str_equal_ci(d->canonical, name);
}

/* Both families at once; NULL for one that is not used. */
static void ask_addresses(const struct settings *set, struct arena *a,
			  int64_t ms, const char *name,
			  const struct dns_answer **v4,
			  const struct dns_answer **v6)
{
	struct dns_question q[] = { { name, "A", ms, NULL },
				    { name, "AAAA", ms, NULL } };
	size_t from = set->ipv4 ? 0 : 1, to = set->ipv6 ? 2 : 1;

	dns_query_all(a, q + from, to - from, NULL, NULL);
	*v4 = q[0].answer;
	*v6 = q[1].answer;
}

bool route_addresses(const struct settings *set, struct arena *a, int64_t ms,
		     const struct route *r, size_t i,
		     struct route_addresses *out, struct fault *f)
{
	const char *name = r->host[i].name;
	const struct dns_answer *v4, *v6, *bad;

	*out = (struct route_addresses){ .n = 0 };
	if (r->address) {
		out->ip[out->n++] = name;
		return true;
	}
	ask_addresses(set, a, ms, name, &v4, &v6);
	if (is_alias(r, v4, name) || is_alias(r, v6, name)) {
		fault_set(f, "5.4.4", "MX host %s is an alias", name);
		return false;
	}
	mix(v4, v6, out);
	if (out->n > 0)
		return true;
	bad = v4 && (!v6 || v4->status == DNS_TEMP) ? v4 : v6;
	fault_of_dns(f, bad, name, bad == v4 ? "A" : "AAAA");
	/* a host that does not exist is not the recipient's domain */
	if (r->mx && f->permanent)
		str_copy(f->dsn, sizeof(f->dsn), "5.4.4");
	return false;
}
