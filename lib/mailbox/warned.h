/*
 * How full the mailbox was when its user was warned last: a percentage in a
 * file of the Maildir, so that a user is warned once when a threshold is
 * crossed, whoever delivers, and again only after the mailbox was emptier.
 */
#ifndef MAILBOX_WARNED_H
#define MAILBOX_WARNED_H

#include "base/err.h"
#include "mailbox/store.h"

/* The threshold that was noted last, or 0. Costs one system call if there is
 * none. What cannot be read is 0: then there is one warning too many. */
unsigned store_level(struct store *s);

/* Notes LEVEL, 0 for none. It is durable before the return. */
int store_note_level(struct store *s, unsigned level) MUST_CHECK;

#endif
