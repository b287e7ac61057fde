/*
 * Two files of one base name, though a base stands for one message: somebody
 * copied a backup over a Maildir in use, where flags have changed since. One of
 * them is the message. The other gets a base of its own, so that it is another
 * message; but if it holds the same bytes it is a copy, and is removed. Nothing
 * is removed that is not also under the other name.
 */
#ifndef MAILBOX_TWIN_H
#define MAILBOX_TWIN_H

#include <stdbool.h>
#include <stdint.h>

#include "messages/messages.h"

struct twins {
	struct messages *ms;
	int64_t until; /* not more of them under one lock */
};

void twins_begin(struct twins *t, struct messages *ms);

/* TWIN has the base of KEEP, or had it when it was listed. False: it has to be
 * looked at once more, since it is being written, or there are many. */
bool twins_part(struct twins *t, const struct message_ref *keep,
		const struct message_ref *twin) MUST_CHECK;

#endif
