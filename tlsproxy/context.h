/* What the contexts for both directions have in common. */
#ifndef TLSPROXY_CONTEXT_H
#define TLSPROXY_CONTEXT_H

#include <openssl/ssl.h>

/* A context with our defaults: TLS 1.2 and later, P-256 first, no
 * renegotiation, buffers only while they hold something. Ends the process if
 * OpenSSL has no memory. */
SSL_CTX *context_new(const SSL_METHOD *method);

/* The first error that OpenSSL noted, as text, and forgets all of them. The
 * text lives until the next call. */
const char *context_error(void);

#endif
