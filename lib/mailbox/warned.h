/*
 * How full the mailbox was when its user was warned last: a percentage in a
 * file of the Maildir, so that a user is warned once when a threshold is
 * crossed, whoever delivers, and again only after the mailbox was emptier.
 */
#ifndef MAILBOX_WARNED_H
#define MAILBOX_WARNED_H

#include "base/err.h"
#include "mailbox/store.h"

/* Notes the threshold LEVEL, 0 for none. *FORMER is what was noted before: the
 * caller warns if LEVEL is higher. It is durable before the return, so of two
 * callers one warns; if that one dies, nobody does. Costs one system call if
 * nothing changed and nothing was noted. */
int store_note_level(struct store *s, unsigned level,
		     unsigned *former) MUST_CHECK;

#endif
