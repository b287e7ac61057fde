/*
 * What the services of the suite want of connections from outside: which
 * protocol may be asked for by name (ALPN, RFC 7301), and whether clients get
 * session tickets.
 */
#ifndef TLSPROXY_INCOMING_H
#define TLSPROXY_INCOMING_H

#include <openssl/ssl.h>

#include "config/config.h"
#include "ipc/ipc.h"

/* Has each connection of CTX answer ALPN. */
void incoming_setup(SSL_CTX *ctx);

/* Makes SSL, of such a context, serve as the request M wants it. NULL, or why
 * that cannot be done. */
const char *incoming_prepare(SSL *ssl, const struct ipc_in *m,
			     const struct config *c);

#endif
