/*
 * The way of a message from a receiver (smtpd, submit, pickup) into the
 * queue: the receiver brings envelope and content, the policies are asked
 * (intake/policy.h), the message is changed as they want (intake/edit.h),
 * signed, and committed; the receiver gets the answer to give.
 *
 * The content is written once, as it comes, except its header, which is
 * examined when it is complete: our Received field is added, Return-Path and
 * Authentication-Results in our name are removed, fields that a submitted
 * message lacks are added. Results for the whole message (the verdict, the
 * signature) go into the prologue of the envelope.
 */
#ifndef INTAKE_INTAKE_H
#define INTAKE_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "intake/answer.h"
#include "intake/policy.h"
#include "queue/envelope.h"

struct intake;

/* Reads myhostname, myorigin, message_size_limit, message_reject_characters,
 * message_strip_characters, hopcount_limit, authcheck_incoming,
 * authcheck_default_action, reject_malformed_from, dmarc_reject and
 * smtpd_from_login_mismatch. ROWS are asked after the intake's own, from HEADER
 * on; NULL: there are none. One intake serves a process for its life, one
 * message at a time. It connects to the queue when it is first used: make it in
 * the child. C and ROWS must outlive it. */
struct intake *intake_new(const struct config *c,
			  const struct intake_row *rows);
void intake_free(struct intake **in);

/* Begins a message: gets a place in the queue. E and what it points to must
 * stay until the end; arrival_us is set. True: go on with intake_write. Else A
 * is the answer to give. */
bool intake_begin(struct intake *in, enum intake_kind kind, struct envelope *e,
		  struct answer *a);

/* What policies decided about the message before it began. WHY is one line. */
void intake_note(struct intake *in, enum intake_action action, const char *why);

/* The id of the message begun. */
const char *intake_id(const struct intake *in);

/* Takes content with CRLF line ends (smtp/data.h). A fault, such as too
 * large a message, is kept until intake_end, so a receiver may go on reading
 * to the end of the message: it always gives ERR_OK. IN is the intake; the type
 * is that of a sink of content, to which a reader can be told to write. */
int intake_write(void *in, const void *data, size_t n);

/* Bytes of content taken so far. */
int64_t intake_size(const struct intake *in);

/* Notes a fault that the receiver found: the message will be refused with
 * the given text, unless there is a fault already. */
void intake_refuse(struct intake *in, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Has a fault been noted? */
bool intake_failed(const struct intake *in);

/* Ends the message: asks, edits, signs, commits. A is the answer: 250, and
 * true, only if the message is safe in the queue or was discarded. A log line
 * is written in any case; CLIENT is what it says about the message's origin,
 * such as "client=name[ip]". */
bool intake_end(struct intake *in, const char *client, struct answer *a);

/* Gives up a message, for instance because the client is gone. Harmless if
 * there is none. */
void intake_abandon(struct intake *in);

#endif
