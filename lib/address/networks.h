/*
 * Lists of networks, such as mynetworks: "192.0.2.0/24", "[2001:db8::]/32",
 * "2001:db8::/32", a single address, each also with "!" before it for an
 * exception. The first that contains an address decides.
 */
#ifndef ADDRESS_NETWORKS_H
#define ADDRESS_NETWORKS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/str.h"
#include "config/config.h"

struct address_networks;

/* Each word of WORDS that is not a network adds a line to FAULTS (may be NULL)
 * and is ignored. */
struct address_networks *address_networks_new(const struct strlist *words,
					      struct buf *faults);

/* Those of PARAMETER; faults are logged. */
struct address_networks *address_networks_of(const struct config *c,
					     const char *parameter);
void address_networks_free(struct address_networks **l);

/* Is the IP address in one of them? IPv4 addresses mapped into IPv6 count
 * as IPv4. False if IP is not an address. */
bool address_networks_have(const struct address_networks *l, const char *ip);

/* The IP address of a socket as text, IPv4 also if it is mapped into IPv6;
 * "" if it has none. */
void address_ip(const struct sockaddr_storage *ss, char out[INET6_ADDRSTRLEN]);

#endif
