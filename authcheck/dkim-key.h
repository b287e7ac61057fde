/*
 * DKIM key records (RFC 6376 section 3.6.1), fetched and judged by us:
 * libopendkim accepts some that must not count.
 */
#ifndef AUTHCHECK_DKIM_KEY_H
#define AUTHCHECK_DKIM_KEY_H

#include "authcheck/lookup.h"

enum dkim_key_status {
	DKIM_KEY_GOOD,
	DKIM_KEY_SMALL, /* an RSA key that is too small to count */
	DKIM_KEY_TEMP, /* no answer for now */
	DKIM_KEY_NONE, /* missing, revoked or not for this signature: *WHY */
};

/* Where it is. From A. */
const char *dkim_key_name(struct arena *a, const char *selector,
			  const char *domain);

/* The key record of SELECTOR at DOMAIN for a signature by ALGORITHM
 * ("rsa-sha256", "ed25519-sha256"): *RECORD in the arena has its essential
 * tags, without notes, for which the library has no room. */
enum dkim_key_status dkim_key_find(struct lookup *l, const char *selector,
				   const char *domain, const char *algorithm,
				   const char **record, const char **why);

/* Judges only the text of a record: NULL if it is good for ALGORITHM, else
 * what is wrong, a constant text. */
const char *dkim_key_fault(struct arena *a, const char *record,
			   const char *algorithm);

#endif
