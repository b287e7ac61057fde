/*
 * PEM files, read by us, within bounds, before OpenSSL sees what is in them: by
 * itself it waits at a FIFO for a writer, and reads a device or a hole to an end
 * that may never come.
 *
 * Each call gives NULL, or why the file cannot be used: a text that lives until
 * the next call.
 */
#ifndef TLSPROXY_PEM_H
#define TLSPROXY_PEM_H

#include <openssl/ssl.h>
#include <stdbool.h>

/* The certificate in FILE becomes that of CTX, and those behind it its chain. */
const char *pem_use_chain(SSL_CTX *ctx, const char *file);

/* The private key in FILE, without a password, becomes that of CTX; it must
 * belong to its certificate. */
const char *pem_use_key(SSL_CTX *ctx, const char *file);

/* The certificates and revocation lists in FILE are what CTX trusts. *MISSING:
 * there is no such file. */
const char *pem_use_authorities(SSL_CTX *ctx, const char *file, bool *missing);

#endif
