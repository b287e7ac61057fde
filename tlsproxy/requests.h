/*
 * The programs that ask for TLS: takes their packets (posthorn-protocol(7),
 * tls-server and tls-client), has the handshake done and answers. One
 * request at a time on one connection.
 */
#ifndef TLSPROXY_REQUESTS_H
#define TLSPROXY_REQUESTS_H

#include <event2/event.h>
#include <openssl/ssl.h>

#include "service/service.h"

struct requests_settings {
	const struct service *service;
	const struct prefork_listener *listener;
	SSL_CTX *ctx;	 /* NULL: refuse all, because of … */
	const char *why; /* … this */
	bool outgoing;
	size_t max; /* connections at once */
};

/* Begins to listen. The settings must outlive the loop of BASE. */
void requests_begin(struct event_base *base, const struct requests_settings *s);

/* Takes no more, and leaves the loop once all connections have ended. */
void requests_drain(void);

#endif
