/*
 * Sessions of users who are logged in at another host: carries bytes between
 * the client and the host until one of them ends. An idle one costs two
 * descriptors and some hundred bytes.
 *
 * What one side does not take is kept, a block at most, and the other is not
 * read until that is sent.
 */
#ifndef LOGIN_PROXY_RELAY_H
#define LOGIN_PROXY_RELAY_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>

struct relay_limits {
	size_t all;  /* sessions at once */
	size_t user; /* of one user; 0: no limit */
	size_t pair; /* … from one address; 0: no limit */
};

/* ENDED is called when the last of them has ended. */
void relay_setup(struct event_base *base, const struct relay_limits *limits,
		 void (*ended)(void));

/* Whose session it is, for the log. The strings are copied. */
struct relay_facts {
	const char *service;
	const char *user;
	const char *client;
	const char *host;
};

/* Bytes of which it is known already where they go. */
struct relay_bytes {
	const char *data;
	size_t n;
};

bool relay_have_room(void);

/* May the user of F have one more? */
bool relay_may(const struct relay_facts *f);

/* Takes the non-blocking sockets CLIENT and HOST. */
void relay_begin(const struct relay_facts *f, int client, int host,
		 const struct relay_bytes *to_client,
		 const struct relay_bytes *to_host);

size_t relay_count(void);

/* Ends all. */
void relay_stop(void);

#endif
