/*
 * Fetchers: child processes that look domains up, since that may take long.
 * They are made when needed, up to FETCHERS_MAX, and stay. Each has one task
 * at a time; further tasks wait in order. A fetcher that dies gives up its
 * task, and is replaced when there is work.
 */
#ifndef REMOTE_SEND_TLS_POLICY_POOL_H
#define REMOTE_SEND_TLS_POLICY_POOL_H

#include <event2/event.h>

#include "remote-send/tls-policy-fetch.h"

#define FETCHERS_MAX 8

struct pool;
struct service;

/* A fetcher that hangs is killed, which SERVICE's master is told. FOUND is
 * called for each task, with its CONTEXT, from the event loop. */
struct pool *pool_new(struct event_base *base, const struct sts_settings *set,
		      const struct service *service,
		      void (*found)(void *context,
				    const struct sts_finding *f));

/* Hands out the task of looking DOMAIN up. */
void pool_add(struct pool *p, const char *domain, const char *known,
	      void *context);

/* Ends the fetchers. */
void pool_end(struct pool *p);

#endif
