/*
 * Policies decide about incoming mail, one row each. A row belongs to one
 * stage of a message's way in; the rows of a stage are asked in order until
 * one defers or refuses. Adding a check means adding one row, here or in the
 * table of a program (smtp/server.h), and nothing else.
 *
 *	CONNECT	a client has connected		q->session
 *	HELO	it has given its name		q->session
 *	MAIL	the sender			q->session q->e q->address
 *	RCPT	one recipient			q->session q->e q->address
 *	HEADER	the header is complete		q->intake q->e
 *	BODY	a piece of the body		q->intake q->e q->data q->n
 *	END	the message is complete		q->intake q->e
 *
 * From HEADER on a row may edit the message (intake/edit.h); at END it reads
 * the message as it came by intake_file.
 */
#ifndef INTAKE_POLICY_H
#define INTAKE_POLICY_H

#include <stddef.h>

#include "address/address.h"
#include "intake/answer.h"
#include "queue/envelope.h"

struct intake;

enum intake_kind {
	INTAKE_OUTSIDE = 1 << 0,   /* from strangers: verified */
	INTAKE_RELAYED = 1 << 1,   /* from hosts of mynetworks: unchanged */
	INTAKE_SUBMITTED = 1 << 2, /* by our users and programs: signed */
	INTAKE_ALL = (1 << 3) - 1
};

enum intake_stage {
	INTAKE_CONNECT,
	INTAKE_HELO,
	INTAKE_MAIL,
	INTAKE_RCPT,
	INTAKE_HEADER,
	INTAKE_BODY,
	INTAKE_END
};

/* From best to worst for the message. */
enum intake_action {
	INTAKE_ACCEPT,	   /* this row has no objection */
	INTAKE_QUARANTINE, /* accepted, and held in the queue
			    * (queue/envelope.h) until an administrator
			    * releases it */
	INTAKE_DISCARD,	   /* answered 250, and thrown away */
	INTAKE_DEFER,	   /* 4xx */
	INTAKE_REFUSE	   /* 5xx */
};

struct intake_question {
	enum intake_stage stage;
	enum intake_kind kind;
	const struct envelope *e; /* as far as it is known */
	void *session;		  /* the caller's own */
	struct address *address;  /* may be rewritten */
	struct intake *intake;
	const char *data;
	size_t n;
};

/* Decides. A gets the answer for DEFER and REFUSE, whose code must fit, and
 * the reason, one line for the log, for QUARANTINE and DISCARD. */
typedef enum intake_action intake_judge(const struct intake_question *q,
					struct answer *a);

struct intake_row {
	const char *name; /* for the log; NULL ends a table */
	enum intake_stage stage;
	unsigned kinds; /* of mail that it is for, as bits */
	intake_judge *judge;
};

/* Asks the rows of ROWS (may be NULL) for the question's stage and kind. All
 * are asked, until one defers or refuses; the gravest action is the result,
 * and A its answer or reason, with *NAME (may be NULL) of its row. */
enum intake_action intake_ask(const struct intake_row *rows,
			      const struct intake_question *q, struct answer *a,
			      const char **name);

/* Sets A, and gives INTAKE_DEFER or INTAKE_REFUSE by its first digit: a row
 * ends with `return intake_no(a, …)`. */
enum intake_action intake_no(struct answer *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
