/*
 * The server's certificates and keys: read once, as root, before the
 * process gives up its rights.
 *
 * For a pair that cannot be used, an error in the log names the file and the
 * reason; the service goes on with the others. Without a default pair, every
 * handshake is refused with that reason.
 */
#ifndef TLSPROXY_KEYS_H
#define TLSPROXY_KEYS_H

#include <openssl/ssl.h>

#include "config/config.h"

/* Reads smtpd_tls_cert_file, smtpd_tls_eccert_file and tls_server_sni. Gives
 * the context for incoming connections, or NULL with *WHY (a constant for the
 * life of the process) if there is no usable default certificate. */
SSL_CTX *keys_read(const struct config *c, const char **why);

#endif
