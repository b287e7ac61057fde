#include "smtp/intake-parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "log/log.h"
#include "mime/field.h"

#define HEADER_STEP 65536 /* bytes added to a header at once */

struct intake *intake_new(const struct config *c)
{
	struct intake *in = mem_alloc(sizeof(*in));

	in->hostname = config_string(c, "myhostname");
	in->size_limit = config_bytes(c, "message_size_limit");
	in->hop_limit = config_int(c, "hopcount_limit");
	in->verify = config_bool(c, "authcheck_incoming");
	in->check_must_answer =
		strcmp(config_string(c, "authcheck_default_action"),
		       "tempfail") == 0;
	in->dmarc_reject = config_bool(c, "dmarc_reject");
	in->queue = queue_receiver_new();
	buf_init(&in->header, QUEUE_HEADER_MAX + HEADER_STEP);
	buf_init(&in->fields, 65536);
	return in;
}

/* What to say when the queue does not take a message. */
static const char *queue_fault(int err)
{
	switch (err) {
	case ERR_NO_SPACE:
		return "452 4.3.1 Insufficient system storage";
	case ERR_TEMP:
	case ERR_TIMEOUT:
		return "451 4.3.0 Error: the queue is not available";
	default:
		return "451 4.3.0 Error: queue file write error";
	}
}

bool intake_begin(struct intake *in, enum intake_kind kind, struct envelope *e,
		  struct smtp_reply *r)
{
	int err;

	intake_abandon(in);
	err = queue_begin(in->queue);
	if (err) {
		smtp_reply_set(r, "%s", queue_fault(err));
		return false;
	}
	in->open = true;
	in->kind = kind;
	in->e = e;
	in->size = 0;
	in->in_body = false;
	in->failed = false;
	in->message_id[0] = in->from_domain[0] = '\0';
	buf_reset(&in->header);
	buf_reset(&in->fields);
	e->arrival_us = clock_wall_us();
	return true;
}

const char *intake_id(const struct intake *in)
{
	return queue_id(in->queue);
}

void intake_refuse(struct intake *in, const char *fmt, ...)
{
	char text[SMTP_REPLY_SIZE];
	va_list ap;

	if (in->failed)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	smtp_reply_set(&in->fault, "%s", text);
	in->failed = true;
}

bool intake_failed(const struct intake *in)
{
	return in->failed;
}

void intake_put(struct intake *in, const void *data, size_t n)
{
	int err;

	if (in->failed || n == 0)
		return;
	err = queue_write(in->queue, data, n);
	if (err)
		intake_refuse(in, "%s", queue_fault(err));
}

static void take_header(struct intake *in, const void *data, size_t n)
{
	size_t seen = in->header.len, end;

	buf_put(&in->header, data, n);
	end = mime_header_end(in->header.data, in->header.len, seen);
	if (end > QUEUE_HEADER_MAX ||
	    (!end && in->header.len > QUEUE_HEADER_MAX)) {
		intake_refuse(in, "552 5.3.4 Error: the header is too large");
		return;
	}
	if (!end)
		return;
	in->in_body = true;
	intake_filter_header(in, in->header.data, end);
	intake_put(in, in->header.data + end, in->header.len - end);
}

int intake_write(void *context, const void *data, size_t n)
{
	struct intake *in = context;

	const char *p = data;

	if (in->failed)
		return ERR_OK;
	in->size += (int64_t)n;
	if (in->size_limit && in->size > in->size_limit)
		intake_refuse(in, "552 5.3.4 Error: message file too big");
	while (n > 0 && !in->in_body && !in->failed) {
		size_t piece = n < HEADER_STEP ? n : HEADER_STEP;

		take_header(in, p, piece);
		p += piece;
		n -= piece;
	}
	intake_put(in, p, n);
	return ERR_OK;
}

static void commit(struct intake *in)
{
	int err;

	in->e->prologue = in->fields.data;
	err = queue_commit(in->queue, in->e);
	if (err)
		intake_refuse(in, "%s", queue_fault(err));
}

bool intake_end(struct intake *in, const char *client, struct smtp_reply *r)
{
	if (!in->failed && !in->in_body)
		intake_filter_header(in, in->header.data, in->header.len);
	if (!in->failed)
		intake_check(in);
	if (!in->failed) {
		log_info("%s: %s, message-id=%s", queue_id(in->queue), client,
			 in->message_id);
		commit(in);
	}
	if (in->failed) {
		log_info("%s: reject: END-OF-MESSAGE: %s; %s, from=<%s>",
			 queue_id(in->queue), in->fault.text, client,
			 in->e->sender);
		*r = in->fault;
	} else {
		smtp_reply_set(r, "250 2.0.0 Ok: queued as %s",
			       queue_id(in->queue));
		in->open = false;
	}
	intake_abandon(in);
	return !in->failed;
}

void intake_abandon(struct intake *in)
{
	if (in->open)
		queue_abandon(in->queue);
	in->open = false;
}
