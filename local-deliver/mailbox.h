/* Delivery into a user's mailbox, by a worker that is that user. */
#ifndef LOCAL_DELIVER_MAILBOX_H
#define LOCAL_DELIVER_MAILBOX_H

#include "client/account.h"
#include "local-deliver/local.h"
#include "table/aliases.h"

/* Has R's message delivered to ACCOUNT under the address AS, by a worker that
 * goes on while others are asked; FORWARD: unless the user has a .forward. */
void mailbox_ask(struct recipient *r, const struct account *account,
		 const char *as, bool forward);

/* Waits for that and settles R. True: there is a .forward with TARGET[N],
 * nothing was delivered, and R is not settled. */
bool mailbox_hear(struct recipient *r, struct alias_target **target, size_t *n);

/* Both at once, without .forward. */
void mailbox_deliver(struct recipient *r, const struct account *account,
		     const char *as);

/* What is there room for in USER's mailbox, in bytes; INT64_MAX if there is no
 * limit, or mail goes where .forward says. False: that cannot be found. */
bool mailbox_room(struct settings *s, const char *user, int64_t *room);

/* The fields that a delivery to the address AS puts before the content,
 * each ended by CRLF: Return-Path, X-Original-To, Delivered-To, and the
 * message's prologue. B is initialised by the caller. */
void mailbox_prologue(const struct recipient *r, const char *as, struct buf *b);

#endif
