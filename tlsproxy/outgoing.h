/*
 * Outgoing connections: what the peer's certificate must fulfil, and whether
 * it did.
 */
#ifndef TLSPROXY_OUTGOING_H
#define TLSPROXY_OUTGOING_H

#include <openssl/ssl.h>

#include "config/config.h"
#include "ipc/ipc.h"

/* The context, with the authorities of smtp_tls_CAfile. A file that cannot be
 * used is logged as an error: then no certificate can be verified, and *WHY
 * says why, unless the file is missing. */
SSL_CTX *outgoing_context(const struct config *c, const char **why);

/* Sets SSL up as the packet `connect` wants it: level, sni, name…, tlsa…
 * NULL, or what is wrong with the packet. */
const char *outgoing_prepare(SSL *ssl, const struct ipc_in *m);

/* After the handshake, even a failed one: did the peer prove its name? If not,
 * *WHY says why; the text lives until the next call. */
bool outgoing_verified(SSL *ssl, const char **why);

#endif
