/*
 * Questions to tls-policy: what a domain says with MTA-STS (RFC 8461) about
 * TLS to its mail hosts. Blocking, with a deadline.
 */
#ifndef CLIENT_POLICY_H
#define CLIENT_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

enum policy_mode {
	POLICY_NONE,	/* no policy, or one that asks for nothing */
	POLICY_TESTING, /* failures do not stop mail */
	POLICY_ENFORCE	/* verified TLS with a matching host, or no delivery */
};

struct policy {
	enum policy_mode mode;
	const char *const *mx; /* patterns, lower case: "mx.example.com",
				 * "*.example.net" */
	size_t n;
};

/* The policy of DOMAIN (ASCII form), all memory from A. ERR_OK, or ERR_TEMP
 * if tls-policy cannot be reached: the policy is then unknown. */
int policy_find(struct arena *a, const char *domain, struct policy *p,
		int64_t ms);

/* Does a pattern of P match the host NAME (RFC 8461 section 4.1)? */
bool policy_matches(const struct policy *p, const char *name);

#endif
