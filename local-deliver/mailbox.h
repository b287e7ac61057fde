/* Delivery into a user's mailbox, by a worker that is that user. */
#ifndef LOCAL_DELIVER_MAILBOX_H
#define LOCAL_DELIVER_MAILBOX_H

#include "client/account.h"
#include "local-deliver/local.h"
#include "table/aliases.h"

/* Delivers R's message to ACCOUNT under the address AS and settles R. If
 * FORWARD and the user has a .forward, nothing is delivered: the result is
 * true, and TARGET[N] is what that file holds; R is not settled then. */
bool mailbox_deliver(struct recipient *r, const struct account *account,
		     const char *as, bool forward, struct alias_target **target,
		     size_t *n);

/* The fields that a delivery to the address AS puts before the content,
 * each ended by CRLF: Return-Path, X-Original-To, Delivered-To, and the
 * message's prologue. B is initialised by the caller. */
void mailbox_prologue(const struct recipient *r, const char *as, struct buf *b);

#endif
