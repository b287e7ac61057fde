/*
 * One message over one session: MAIL, RCPT, DATA, content (RFC 5321 section
 * 3.3), pipelined if the server allows it. What the server decides about a
 * recipient is recorded in its outcome at once; a recipient without an outcome
 * may be tried at another host, also after a 4xx, for which one host may have
 * a reason that another does not have (a full disk, too much work).
 */
#ifndef REMOTE_SEND_TRANSACTION_H
#define REMOTE_SEND_TRANSACTION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "qmgr/job.h"
#include "remote-send/fault.h"
#include "remote-send/session.h"
#include "remote-send/seven-bit.h"

/* A recipient's fate. */
struct outcome {
	bool decided;
	bool accepted;		     /* by RCPT in this transaction */
	const struct fault *refusal; /* 4xx of a host that was not the last
				      * one, or NULL */
	struct result result;
	const char *log; /* the text in parentheses in the log */
};

struct delivery {
	const struct settings *set;
	const struct job *job;
	struct arena *arena;	 /* lives until the results are sent */
	struct outcome *outcome; /* one per recipient of the job */
	int64_t begun_ms;	 /* when the job came */
	int64_t connected_ms;	 /* when the session was ready */
	bool utf8;	/* SMTPUTF8 is needed, for the sender or the header */
	bool utf8_wish; /* … or for a recipient, or was asked for */
	struct seven_bit seven; /* how the content goes to a host without
				 * 8BITMIME */
	bool convert;		/* the current host is one */
	bool last; /* no other host is tried after this one */
};

enum transaction_end {
	TRANSACTION_DONE,   /* all are decided; the session may go on */
	TRANSACTION_OTHER,  /* some are left to another host */
	TRANSACTION_STALE,  /* a kept session was dead: nothing happened */
	TRANSACTION_BROKEN, /* the session ended before the message did */
	TRANSACTION_LAST    /* all are decided; the session has to end */
};

/* Runs it. TRANSACTION_BROKEN: F says why. */
enum transaction_end transaction_run(struct session *s, struct delivery *d,
				     struct fault *f);

/* Decides recipient I, or all accepted ones, as F says. */
void outcome_fail(struct delivery *d, size_t i, const struct fault *f);
void outcome_fail_accepted(struct delivery *d, const struct fault *f);

/* Decides all undecided ones: with what a host said about them, if one did,
 * else with F. */
void outcome_fail_all(struct delivery *d, const struct fault *f);

/* The server refused with F recipient I, the accepted ones, or all undecided
 * ones: this decides them if it is permanent or no other host is left. */
void outcome_refuse(struct delivery *d, size_t i, const struct fault *f);
void outcome_refuse_accepted(struct delivery *d, const struct fault *f);
void outcome_refuse_all(struct delivery *d, const struct fault *f);

/* RELAY took the accepted ones with the reply R. */
void outcome_sent(struct delivery *d, const struct reply *r, const char *relay,
		  bool dsn_passed);

/* Is any recipient undecided? */
bool outcome_any_left(const struct delivery *d);

/* Writes a log line for each decided recipient, in Postfix's format. */
void outcome_log(const struct delivery *d);

#endif
