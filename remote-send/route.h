/*
 * The hosts that take the mail for a next hop, in order (RFC 5321 section
 * 5.1), and their addresses.
 */
#ifndef REMOTE_SEND_ROUTE_H
#define REMOTE_SEND_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "address/hop.h"
#include "base/arena.h"
#include "client/dns.h"
#include "remote-send/fault.h"
#include "remote-send/settings.h"

#define ROUTE_HOSTS_MAX 20     /* hosts of one next hop that are tried */
#define ROUTE_ADDRESSES_MAX 10 /* addresses of one host that are tried */

struct route_host {
	const char *name;
	unsigned preference;
	unsigned lot; /* random, for the order of equal preferences */
};

struct route {
	struct route_host *host;
	size_t n;
	bool secure;  /* DNSSEC holds for the MX records */
	bool address; /* the one host is an address */
	bool mx;      /* the hosts come from MX records */
};

struct route_addresses {
	const char *ip[ROUTE_ADDRESSES_MAX];
	size_t n;
};

#define ROUTE_MS 20000 /* for a look-up */

/* Looks up the hosts of HOP, within MS. False, and F, if there are none. */
bool route_find(const struct settings *set, struct arena *a, int64_t ms,
		const struct hop *hop, struct route *r, struct fault *f);

/* The addresses of host I of R. False, and F, if it has none. */
bool route_addresses(const struct settings *set, struct arena *a, int64_t ms,
		     const struct route *r, size_t i,
		     struct route_addresses *out, struct fault *f);

#endif
