/*
 * Lists of networks, such as mynetworks: "192.0.2.0/24", "[2001:db8::]/32",
 * "2001:db8::/32", an address alone, each also with "!" before it for an
 * exception. The first that holds an address decides.
 */
#ifndef ADDRESS_NETWORKS_H
#define ADDRESS_NETWORKS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/str.h"

struct address_networks;

/* Each word of WORDS that is no network adds a line to FAULTS (may be NULL)
 * and is left out. */
struct address_networks *address_networks_new(const struct strlist *words,
					      struct buf *faults);
void address_networks_free(struct address_networks **l);

/* Is the IP address in one of them? IPv4 addresses mapped into IPv6 count
 * as IPv4. False if IP is none. */
bool address_networks_have(const struct address_networks *l, const char *ip);

/* The IP address of a socket as text, IPv4 also where it is mapped into IPv6;
 * "" if it is none. */
void address_ip(const struct sockaddr_storage *ss, char out[INET6_ADDRSTRLEN]);

#endif
