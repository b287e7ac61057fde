/* Between the files of the intake: the message at hand. */
#ifndef SMTP_INTAKE_PARTS_H
#define SMTP_INTAKE_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "queue/receive.h"
#include "smtp/intake.h"

#define INTAKE_DOMAIN_SIZE 256
#define INTAKE_ID_SIZE 256

struct intake {
	const char *hostname;
	int64_t size_limit;
	int64_t hop_limit;
	bool verify;
	bool check_must_answer;
	bool dmarc_reject;

	struct queue_receiver *queue;

	/* the message at hand */
	bool open;
	enum intake_kind kind;
	struct envelope *e;
	int64_t size;
	bool in_body;
	struct buf header; /* until it is complete */
	struct buf fields; /* for the prologue */
	bool failed;
	struct smtp_reply fault;
	char message_id[INTAKE_ID_SIZE]; /* as it stands, or "" */
	char from_domain[INTAKE_DOMAIN_SIZE];

	/* a domain that has no key, and until when we believe it */
	char unsigned_domain[INTAKE_DOMAIN_SIZE];
	int64_t unsigned_until_ms;
};

/* Appends our trace field for the message at hand (RFC 5321 section 4.4). */
void intake_put_received(const struct intake *in, struct buf *out);

/* Filters the header at DATA, N (all of it, with its empty line if it has
 * one, and whatever stands behind where a header line would be expected) and
 * writes it to the queue behind our Received field. */
void intake_filter_header(struct intake *in, const char *data, size_t n);

/* Writes N bytes to the queue; an error becomes the message's fault. */
void intake_put(struct intake *in, const void *data, size_t n);

/* Verifies or signs what is in the queue file; adds fields, or a fault. */
void intake_check(struct intake *in);

#endif
