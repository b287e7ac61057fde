/*
 * One change of a folder, and the packet `changed` that reports it
 * (posthorn-protocol(7), FEED): the same to the feed and from it.
 */
#ifndef CLIENT_FEED_PACKET_H
#define CLIENT_FEED_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/folder-id.h"
#include "ipc/ipc.h"

enum feed_what {
	FEED_ADDED = 1 << 0,	/* messages came */
	FEED_FLAGS = 1 << 1,	/* flags or keywords changed */
	FEED_GONE = 1 << 2,	/* messages were removed */
	FEED_ANY = (1 << 3) - 1, /* not known what: look */
	/* of INBOX: folders were made, renamed, removed or subscribed */
	FEED_NAMES = 1 << 3,
	/* annotations changed; of INBOX: perhaps those of the account */
	FEED_ANNOTATIONS = 1 << 4
};

#define FEED_WATCHES_MAX 1024 /* folders that one connection may watch */

/* Only a hint: the truth is in the folder, when it is read afterwards. */
struct feed_change {
	struct folder_id folder;
	unsigned what;	  /* of enum feed_what; at least one */
	uint32_t uid;	  /* the highest that was added; 0: unknown */
	uint64_t modseq;  /* of the folder after the change; 0: unknown */
	const char *user; /* whose folder it is; "" if the sender does not
			   * know. Not verified: the sender says so */
};

/* Begins M as the packet of C. */
void feed_put_change(struct ipc_out *m, const struct feed_change *c);

/* Reads it from M, to which C's strings belong. False if it is malformed. */
bool feed_get_change(const struct ipc_in *m, struct feed_change *c);

#endif
