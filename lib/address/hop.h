/*
 * The next hop of a message: where to look for the host that takes it.
 *
 *     domain, domain:port		by its MX records
 *     [host], [host]:port		that host, by its addresses
 *     [192.0.2.1], [IPv6:2001:db8::1]	that address (RFC 5321 section 4.1.3)
 */
#ifndef ADDRESS_HOP_H
#define ADDRESS_HOP_H

#include <stdbool.h>

#define HOP_FORM "host, [host], host:port or [host]:port"

struct hop {
	char name[256]; /* domain or host, lower case; or the bare address */
	int port;
	bool mx;      /* look for MX records of the name */
	bool address; /* the name is an IP address */
};

/* Parses TEXT; the port is DEFAULT_PORT if it names none. False if it is not a
 * next hop. */
bool hop_parse(const char *text, int default_port, struct hop *h);

#endif
