/*
 * Watching folders from outside, to see what other programs do in them: each
 * store has its own way, behind this table. mailbox/lookout.h is what programs
 * call.
 */
#ifndef MESSAGES_LOOKOUT_H
#define MESSAGES_LOOKOUT_H

#include <stdbool.h>

#include "base/folder-id.h"

enum lookout_what {
	LOOKOUT_MESSAGES = 1 << 0, /* messages came, went or changed */
	LOOKOUT_NAMES = 1 << 1 /* of INBOX: the user's folders, or what of
				* them is subscribed */
};

/* In the folder ID something of WHAT was done. */
typedef void lookout_seen(void *context, struct folder_id id, unsigned what);

struct lookout;

struct lookout_ops {
	int (*fd)(const struct lookout *l);
	void (*look)(struct lookout *l);
	bool (*identify)(struct lookout *l, int fd, struct folder_token *t);
	bool (*add)(struct lookout *l, const struct folder_token *t,
		    bool names);
	void (*remove)(struct lookout *l, struct folder_id id);
};

/* The first member of a store's own struct. */
struct lookout {
	const struct lookout_ops *ops;
	lookout_seen *seen;
	void *context;
};

#endif
