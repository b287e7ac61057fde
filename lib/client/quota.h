/*
 * How much a user's mailbox may hold: all of the user's folders together, and
 * trees of folders by themselves (quota-rule.h). A limit that is 0 is none. Who
 * has which limits is known to accountd, which puts them into its packets.
 */
#ifndef CLIENT_QUOTA_H
#define CLIENT_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "client/quota-rule.h"
#include "ipc/ipc.h"

#define QUOTA_RULES_SIZE 512
#define QUOTA_TREES_MAX 8

struct quota_limits {
	int64_t bytes; /* of messages as sent */
	int64_t messages;
};

struct quota {
	int64_t bytes;
	int64_t messages;
	char rules[QUOTA_RULES_SIZE]; /* of trees, with spaces between */
};

/* What folders hold. */
struct usage {
	uint64_t bytes; /* without what does not count */
	uint64_t messages;
	struct {
		uint64_t bytes;
		uint64_t messages;
	} tree[QUOTA_TREES_MAX]; /* by rule */
};

/* The rules of Q, which they point into. */
struct quota_rules {
	struct quota_rule rule[QUOTA_TREES_MAX];
	size_t n;
};
void quota_rules(const struct quota *q, struct quota_rules *r);

/* Are these rules short and few enough? */
bool quota_rules_fit(const char *rules);

/* Are there any limits? */
bool quota_exists(const struct quota *q);

/* Does FOLDER count for the limits of the user? */
bool quota_counts(const struct quota *q, const char *folder);

/* Adds to U what is in FOLDER, or comes to it. */
void quota_add(const struct quota *q, struct usage *u, const char *folder,
	       uint64_t bytes, uint64_t messages);

/* Messages that come to the folder TO; from the user's folder FROM, which loses
 * them, or NULL. */
struct quota_change {
	const char *from;
	const char *to;
	uint64_t bytes;
	uint64_t messages;
};

/* May that be, beside U, if each limit is exceeded by PERCENT of it at most?
 * What already counts for a limit does not count again. */
bool quota_allows(const struct quota *q, const struct usage *u,
		  const struct quota_change *c, int percent);

/* How many bytes may come to FOLDER, in one message. 0: none; INT64_MAX: there
 * is no limit. */
int64_t quota_room(const struct quota *q, const struct usage *u,
		   const char *folder, int percent);

/* The attributes "quota", "quota-messages" and "quota-rules" of a packet, which
 * are left out if there is nothing to say. False: they are malformed. */
void quota_put(struct ipc_out *m, const struct quota *q);
bool quota_get(const struct ipc_in *m, struct quota *q);

#endif
