/*
 * Between OpenSSL and the socket of a peer. Reading asks the kernel for as
 * much as OpenSSL has room for. Writing never touches the socket: what
 * OpenSSL wants to send is gathered in one buffer for the whole process, and
 * the caller sends it in one piece after each call into OpenSSL.
 */
#ifndef TLSPROXY_BIO_H
#define TLSPROXY_BIO_H

#include <openssl/ssl.h>

#include "base/buf.h"

/* Puts SSL over the non-blocking socket FD, which stays the caller's. */
void bio_attach(SSL *ssl, int fd);

/* What the last calls into OpenSSL want sent. Take it, then buf_reset. */
struct buf *bio_output(void);

#endif
