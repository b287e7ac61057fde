/* The author's domain, which DMARC is about (RFC 7489 section 6.6.1). */
#ifndef AUTHCHECK_FROM_H
#define AUTHCHECK_FROM_H

#include <stdbool.h>

#include "authcheck/message.h"

#define FROM_DOMAINS_MAX 8

struct from {
	char domain[FROM_DOMAINS_MAX][256]; /* different ones, ASCII */
	size_t n;
	bool proper; /* one From field, all of it addresses, one domain */
};

/* Finds the domains of all From fields of M. */
void from_find(const struct message *m, struct from *f);

#endif
