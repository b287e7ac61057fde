/*
 * DNS messages in wire format (RFC 1035 section 4.1), reading only. The bytes
 * come from libunbound, which took them from strangers: every length is
 * checked, compressed names may only point backwards, and a list with more
 * than WIRE_RECORDS_MAX is an error, since a part of it would be taken for the
 * whole.
 */
#ifndef RESOLVER_WIRE_H
#define RESOLVER_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "client/dns.h"

/* As many as fit a packet to our programs; 64 KB of DNS do not hold many
 * more. */
#define WIRE_RECORDS_MAX DNS_RECORDS_MAX

/* A name of 255 octets, each written as \DDD at worst, and a NUL. */
#define WIRE_NAME_SIZE 1024

struct wire_answer {
	int rcode;			/* RFC 1035 section 4.1.1 */
	bool too_many;			/* records: those here are a part */
	char canonical[WIRE_NAME_SIZE]; /* the name after the CNAMEs */
	uint32_t ttl;			/* least of those used; 0: none */
	struct strlist record;		/* text as client/dns.h says, with MX
					 * as "preference host" */
};

/* The type's number for a name such as "MX", or 0. */
unsigned wire_type(const char *name);

/* Writes NAME (as a client gives it: any case, perhaps a final dot) into SIZE
 * bytes at OUT, lower case and without the dot, a blank as \032. False if such
 * a name cannot exist, or is not one to ask for: empty or long labels, more
 * than 253 bytes, controls, bytes beyond ASCII, or a backslash. */
bool wire_name(const char *name, char *out, size_t size);

/* Reads the answer of N bytes to the question for NAME (as wire_name gives
 * it), TYPE. Follows CNAMEs inside the message. False if it does not parse;
 * strlist_free the records in either case. */
bool wire_read(const unsigned char *data, size_t n, const char *name,
	       unsigned type, struct wire_answer *out);

#endif
