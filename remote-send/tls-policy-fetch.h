/*
 * Finding out what a domain says now: its TXT record, and the policy behind
 * it. Blocking: done in a fetcher (tls-policy-pool.h).
 */
#ifndef REMOTE_SEND_TLS_POLICY_FETCH_H
#define REMOTE_SEND_TLS_POLICY_FETCH_H

#include "remote-send/tls-policy-text.h"

enum sts_result {
	STS_NONE,  /* there is no (valid) record */
	STS_SAME,  /* the record still has the id that was known */
	STS_NEW,   /* a policy was fetched */
	STS_FAILED /* it could not be found out; see why */
};

struct sts_finding {
	enum sts_result result;
	char id[STS_ID_SIZE];
	struct sts_policy policy; /* STS_NEW; strlist_free its mx always */
	char why[600];
};

struct sts_settings {
	int port; /* of HTTPS */
	bool ipv4;
	bool ipv6;
};

/* Looks DOMAIN up; KNOWN is the id of the stored policy, "" to fetch in any
 * case. */
void sts_find(const struct sts_settings *set, const char *domain,
	      const char *known, struct sts_finding *f);

#endif
