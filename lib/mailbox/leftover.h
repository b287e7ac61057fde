/*
 * Files of our own naming that no record knows: what a power cut left of an
 * expunge or of a delivery, which is removed or put aside; or mail that came
 * back, from a backup, say. What is not proven to be the first is the second.
 */
#ifndef MAILBOX_LEFTOVER_H
#define MAILBOX_LEFTOVER_H

#include <stdbool.h>

#include "messages/content.h"
#include "messages/messages.h"

struct mailbox;

/* Was the expunge of FILE recorded, and the power cut before its name was
 * known to be gone (index/mark.h)? One that was put back before that has
 * changed since, by ST; ST is NULL if nobody can have put one back. (The
 * opposite proves nothing: a COPY of the message is the same file.) One of
 * another name that has the same UID is a copy. */
bool left_of_expunge(struct mailbox *m, const struct listing_file *file,
		     const struct message_ref *ref,
		     const struct message_state *st);

/* Is FILE of a delivery that ended before its record was durable, and so was
 * promised to nobody? If its UID was given it is mail, however short, but for
 * one that holds nothing. *WHAT is in it. */
bool left_of_delivery(struct mailbox *m, const struct listing_file *file,
		      const struct message_ref *ref, enum content *what);

#endif
