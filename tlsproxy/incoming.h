/*
 * What the services of the suite require of connections from outside: which
 * protocol may be asked for by name (ALPN, RFC 7301), and whether clients get
 * session tickets.
 */
#ifndef TLSPROXY_INCOMING_H
#define TLSPROXY_INCOMING_H

#include <openssl/ssl.h>

#include "config/config.h"
#include "ipc/ipc.h"

/* Makes each connection of CTX answer ALPN. */
void incoming_setup(SSL_CTX *ctx);

/* Sets up SSL, of such a context, as the request M wants it. NULL, or why that
 * is impossible. */
const char *incoming_prepare(SSL *ssl, const struct ipc_in *m,
			     const struct config *c);

#endif
