/*
 * One login that is passed on: accountd's packet `login`
 * (posthorn-protocol(7)), the connection to the host, TLS with it, the login
 * there (talk.h), the answer to accountd, and then the relay (relay.h).
 */
#ifndef LOGIN_PROXY_PASS_H
#define LOGIN_PROXY_PASS_H

#include <event2/event.h>
#include <stddef.h>

/* ENDED is called when the last of them has ended. */
void pass_setup(struct event_base *base, void (*ended)(void));

/* Serves the connection SOCK of accountd. */
void pass_begin(int sock);

size_t pass_count(void);

/* What was asked is still answered, and nothing else taken. */
void pass_drain(void);

#endif
