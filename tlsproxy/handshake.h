/* A TLS handshake on one connection, within a deadline. */
#ifndef TLSPROXY_HANDSHAKE_H
#define TLSPROXY_HANDSHAKE_H

#include <event2/event.h>
#include <openssl/ssl.h>
#include <stdint.h>

struct handshake;

/* How it went: WHY is NULL if it is done, else the reason. SSL and FD are the
 * callee's from then on; the handshake itself is gone. */
typedef void handshake_done(void *context, SSL *ssl, int fd, const char *why);

/* Begins on the stream socket FD with SSL (state set to accept or connect),
 * for at most MS milliseconds. DONE is called later, never at once. */
struct handshake *handshake_begin(struct event_base *base, SSL *ssl, int fd,
				  int64_t ms, handshake_done *done,
				  void *context);

/* Gives it up: closes, frees, calls nobody. */
void handshake_cancel(struct handshake *h);

#endif
