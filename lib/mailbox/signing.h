/*
 * The signatures of an open folder's messages (index/signature.h): what a
 * search can do without looking at, and how they come to be. They are made for
 * folders in which somebody searches, in moments when nobody waits.
 */
#ifndef MAILBOX_SIGNING_H
#define MAILBOX_SIGNING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index/signature.h"
#include "mailbox/mailbox.h"

/* One needle, and a bit for each message that does not hold it: that of SEQ is
 * number SEQ - 1. */
struct excluded {
	struct probe probe;
	uint64_t *bit; /* the caller's: (mailbox_count + 63) / 64, zeros */
};

bool excluded_has(const struct excluded *x, uint32_t seq);

/* Fills in X[N] from all signatures that there are. From now on those that are
 * missing are made by mailbox_sign. */
void mailbox_exclude(struct mailbox *m, struct excluded *x, size_t n);

/* Makes missing signatures for about MS milliseconds, if a search has asked for
 * some. True: there are more to be made. A second session leaves this to the
 * first. */
bool mailbox_sign(struct mailbox *m, int64_t ms);

#endif
