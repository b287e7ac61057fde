/*
 * A connection after its handshake: carries bytes between the TLS side and
 * the plain side until both have ended.
 *
 * What one side cannot take is kept, at most one block in each direction, and
 * the other side is not read until it is sent. Either side may end first:
 * close_notify becomes an end of file for the program, its end of file
 * becomes close_notify, and the other direction goes on. If the peer breaks
 * off without close_notify, the plain side is closed in both directions: the
 * program then gets POLLHUP with the end of file (client/tls.h, tls_ended).
 */
#ifndef TLSPROXY_RELAY_H
#define TLSPROXY_RELAY_H

#include <event2/event.h>
#include <openssl/ssl.h>

/* Takes SSL, its socket NET and the non-blocking socket PLAIN, and runs by
 * itself. ENDED is called once when it is over. */
void relay_begin(struct event_base *base, SSL *ssl, int net, int plain,
		 void (*ended)(void));

#endif
