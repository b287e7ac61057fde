/*
 * The stored policies: in memory, and in two files, so that neither a restart
 * nor a power cut forgets any. Only this process opens the files. A damaged one
 * is put aside, with a line in the log; what is lost is fetched again when it is
 * needed.
 */
#ifndef REMOTE_SEND_TLS_POLICY_CACHE_H
#define REMOTE_SEND_TLS_POLICY_CACHE_H

#include <stdint.h>
#include <time.h>

#include "remote-send/tls-policy-text.h"

#define CACHE_MAX 20000 /* policies */

struct cached_policy {
	char id[STS_ID_SIZE];
	struct sts_policy policy;
	int64_t fetched; /* wall clock, seconds */
};

struct cache;

/* Opens or makes the file PATH, and PATH.2. Never fails: without files (which is
 * logged)
 * policies are only kept in memory. */
struct cache *cache_open(const char *path);

/* The policy of DOMAIN that still holds at NOW, or NULL. */
const struct cached_policy *cache_get(struct cache *c, const char *domain,
				      time_t now);

/* Keeps a policy, which is copied, from NOW on. */
void cache_put(struct cache *c, const char *domain, const char *id,
	       const struct sts_policy *p, time_t now);

void cache_close(struct cache **c);

#endif
