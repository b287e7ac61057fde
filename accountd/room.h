/*
 * What there is room for in mailboxes that are nearly full, so that mail for
 * them can be refused before it is accepted. local-deliver names their users,
 * and measures when somebody asks; of all others nothing is known, and nothing
 * asked.
 *
 * An answer is used for a second: for no longer is mail refused to a mailbox
 * that has room again. A measurement that takes two seconds, or of which there
 * are too many at once, is not waited for; then the mail is accepted, and
 * delivery decides. A restart forgets who is nearly full.
 */
#ifndef ACCOUNTD_ROOM_H
#define ACCOUNTD_ROOM_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

/* Reads message_size_limit: a mailbox with room for so much is not nearly full
 * any more. */
void room_begin(struct event_base *base, const struct config *c);

/* USER's mailbox is nearly full. */
void room_note(const char *user);

struct room_question;

/* ROOM bytes fit; INT64_MAX: no limit, or it is not known. */
typedef void room_answer(void *context, int64_t room);

/* What is there room for in USER's mailbox? NULL: *ROOM says it at once. Else
 * ANSWER is called once, later. */
struct room_question *room_ask(const char *user, room_answer *answer,
			       void *context, int64_t *room);

/* Nobody waits any more: ANSWER is not called. */
void room_cancel(struct room_question **q);

#endif
