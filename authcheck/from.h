/* The author's domain, which DMARC is about (RFC 7489 section 6.6.1). */
#ifndef AUTHCHECK_FROM_H
#define AUTHCHECK_FROM_H

#include <stdbool.h>
#include <stddef.h>

#include "authcheck/message.h"

#define FROM_DOMAINS_MAX 8

struct from {
	char domain[FROM_DOMAINS_MAX][256]; /* different ones, ASCII */
	size_t n;
	size_t addresses;  /* that are shown */
	size_t readings;   /* domains examined */
	const char *fault; /* why it cannot be judged, or NULL */
};

/* Finds the domains that readers may take for the author's in all From fields
 * of M, even if there is a fault. Without a fault N is 0 only if all addresses
 * are at literals, "[192.0.2.1]". */
void from_find(const struct message *m, struct from *f);

#endif
