/* The commands of a transaction, with the parameters that the server
 * understands. */
#ifndef REMOTE_SEND_COMMAND_H
#define REMOTE_SEND_COMMAND_H

#include "remote-send/transaction.h"

void command_mail(struct session *s, const struct delivery *d);
void command_rcpt(struct session *s, const struct delivery *d, size_t i);

/* Fails what the server cannot take: SMTPUTF8, 8BITMIME, SIZE, and addresses
 * that cannot be put in a command. Notes whether the content has to be
 * converted. */
void command_check(const struct session *s, struct delivery *d);

/* Finds out what of the message needs SMTPUTF8. */
void command_note_utf8(struct delivery *d);

#endif
