/* Between the files of the intake: the current message. */
#ifndef INTAKE_PRIVATE_H
#define INTAKE_PRIVATE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "intake/characters.h"
#include "intake/edit.h"
#include "intake/intake.h"
#include "qmgr/receive.h"

#define INTAKE_DOMAIN_SIZE 256

struct intake {
	const char *hostname;
	int64_t size_limit;
	int64_t hop_limit;
	bool verify;
	bool check_must_answer;
	bool reject_malformed_from;
	bool dmarc_reject;
	bool reject_author; /* of whom the login may not write as */
	const char *origin; /* myorigin */
	const struct intake_row *rows;
	struct characters rejected, stripped;

	struct queue_receiver *queue;

	/* the current message */
	bool open;
	enum intake_kind kind;
	struct envelope *e;	  /* the receiver's */
	struct envelope envelope; /* what is committed */
	struct arena *arena;	  /* of what was edited */
	int64_t size;
	bool in_body;
	struct buf raw; /* the header as it came, and what came with it */
	struct buf clean; /* a piece without the characters that go */
	struct intake_header header;
	size_t header_size; /* bytes of it in the queue file */
	bool new_body;
	struct buf body;   /* instead of the one that came */
	struct buf fields; /* for the prologue */
	bool failed;
	struct answer fault;
	bool author_judged; /* the login may write as whom From names … */
	char signer[INTAKE_DOMAIN_SIZE]; /* … in this domain, or "" */
	enum intake_action fate;
	char why[ANSWER_SIZE + 64]; /* quarantine, discard: row and reason */

	/* a domain without a key, and until when we believe that */
	char unsigned_domain[INTAKE_DOMAIN_SIZE];
	int64_t unsigned_until_ms;
};

/* The rows that every intake has: filter.c. */
extern const struct intake_row intake_own_rows[];

/* Writes N bytes to the queue; an error becomes the message's fault. */
void intake_put(struct intake *in, const void *data, size_t n);

/* Makes ERR from the queue the message's fault; nothing for ERR_OK. */
void intake_check_queue(struct intake *in, int err);

/* The value of our trace field for the current message (RFC 5321 section
 * 4.4). */
void intake_received(const struct intake *in, struct buf *out);

/* A row: SPF, DKIM and DMARC, their field for the prologue. */
enum intake_action intake_verify(const struct intake_question *q,
				 struct answer *a);

/* A row: may a login over the network write as the authors in From? */
enum intake_action intake_judge_author(const struct intake_question *q,
				       struct answer *a);

/* Judges again who signs a login's message, after its header was changed. */
void intake_find_signer(struct intake *in);

/* Signs what is in the queue file, if there is a key for the domain of the
 * author or, for local programs, of the sender. */
void intake_sign(struct intake *in);

/* Makes the changes that were asked for. */
void intake_apply_edits(struct intake *in);

#endif
