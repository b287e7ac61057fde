/*
 * The way of a message from a receiver (smtpd, submit, pickup) into the
 * queue: Received field, header filter, verification or signature, commit.
 * The receiver brings envelope and content, and gets the reply to give.
 *
 * The content is written once, as it comes, but for its header, which is
 * filtered when it is complete: Return-Path and Authentication-Results in
 * our name go away, fields that a submitted message lacks are added. What is
 * learned later (the verdict, the signature) goes into the prologue of the
 * envelope.
 */
#ifndef SMTP_INTAKE_H
#define SMTP_INTAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "queue/envelope.h"
#include "smtp/reply.h"

enum intake_kind {
	INTAKE_OUTSIDE,	  /* from strangers: verified */
	INTAKE_RELAYED,	  /* from hosts of mynetworks: taken as it is */
	INTAKE_SUBMITTED, /* by our users and programs: completed, signed */
};

struct intake;

/* Reads myhostname, myorigin, message_size_limit, hopcount_limit,
 * authcheck_incoming, authcheck_default_action and dmarc_reject. One intake
 * serves a process for its life, one message at a time. It connects to the
 * queue when it is first used: make it in the child. C must outlive it. */
struct intake *intake_new(const struct config *c);

/* Begins a message: gets a place in the queue, notes Received. E and what it
 * points to must stay until the end; arrival_us is set, and prologue at the
 * end. Good reply: go on with intake_write. Else R is what to answer. */
bool intake_begin(struct intake *in, enum intake_kind kind, struct envelope *e,
		  struct smtp_reply *r);

/* The id of the message begun. */
const char *intake_id(const struct intake *in);

/* Takes content with CRLF line ends (smtp/data.h). A fault, such as too
 * large a message, is kept until intake_end, so a receiver may go on reading
 * to the end of the message; the result says that nothing more is wanted.
 * The type is that of a smtp_data_sink with the intake as its context, but
 * it always gives ERR_OK. */
int intake_write(void *in, const void *data, size_t n);

/* Notes a fault that the receiver found: the message will be refused with
 * the given text, unless there is a fault already. */
void intake_refuse(struct intake *in, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Has a fault been noted? */
bool intake_failed(const struct intake *in);

/* Ends the message: checks, signs, commits. R is the reply: 250 only if the
 * message is safe in the queue. True then. One line of log is written either
 * way; CLIENT is what it says of where the message came from, such as
 * "client=name[ip]". */
bool intake_end(struct intake *in, const char *client, struct smtp_reply *r);

/* Gives up a message, for instance since the client went away. Harmless if
 * there is none. */
void intake_abandon(struct intake *in);

#endif
