/* A TLS handshake on one connection, within a deadline. */
#ifndef TLSPROXY_HANDSHAKE_H
#define TLSPROXY_HANDSHAKE_H

#include <event2/event.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

struct handshake;

/* The result: WHY is NULL on success, else the reason. True: the callee owns SSL
 * and FD from then on. False, after a failure always: the handshake frees and
 * closes them. The handshake itself is gone in both cases. */
typedef bool handshake_done(void *context, SSL *ssl, int fd, const char *why);

/* Begins on the stream socket FD with SSL (state set to accept or connect),
 * for at most MS milliseconds. DONE is called later, never at once. */
struct handshake *handshake_begin(struct event_base *base, SSL *ssl, int fd,
				  int64_t ms, handshake_done *done,
				  void *context);

/* Gives it up: closes and frees, without calling DONE. */
void handshake_cancel(struct handshake *h);

#endif
