/*
 * How much a user's mailbox may hold: all of the user's folders together. A
 * limit that is 0 is none. Who has which limits is known to accountd, which
 * puts them into its packets.
 */
#ifndef CLIENT_QUOTA_H
#define CLIENT_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/ipc.h"

struct quota {
	int64_t bytes; /* of messages as sent */
	int64_t messages;
};

bool quota_exists(const struct quota *q);

/* May there be so much, if each limit is exceeded by PERCENT of it at most? */
bool quota_allows(const struct quota *q, uint64_t bytes, uint64_t messages,
		  int percent);

/* How many bytes more there may be, after so many, with one message more. 0:
 * none; INT64_MAX: there is no limit. */
int64_t quota_room(const struct quota *q, uint64_t bytes, uint64_t messages,
		   int percent);

/* The attributes "quota" and "quota-messages" of a packet, which are left out
 * if there is no limit. False: they are malformed. */
void quota_put(struct ipc_out *m, const struct quota *q);
bool quota_get(const struct ipc_in *m, struct quota *q);

#endif
