/*
 * A message on its way through the stages from HEADER on. Its header is kept
 * until it is complete (take_header), filtered by the rows of filter.c,
 * written, and kept as a list of fields; the body is written as it comes
 * (take_body). At the end the last rows are asked (finish), edits are made
 * (edit.c), the message is signed (check.c) and committed.
 *
 * A fault, once noted, stays: all that follows is skipped, and the answer is
 * given at the end, since SMTP has no other place for it.
 */
#include "intake/private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "log/log.h"
#include "mime/field.h"

#define PIECE 65536	   /* bytes taken at once */
#define MESSAGE_ID_MAX 200 /* of it, in the log */

struct intake *intake_new(const struct config *c, const struct intake_row *rows)
{
	struct intake *in = mem_alloc(sizeof(*in));

	in->hostname = config_string(c, "myhostname");
	in->size_limit = config_bytes(c, "message_size_limit");
	in->hop_limit = config_int(c, "hopcount_limit");
	in->verify = config_bool(c, "authcheck_incoming");
	in->check_must_answer =
		strcmp(config_string(c, "authcheck_default_action"),
		       "tempfail") == 0;
	in->reject_malformed_from = config_bool(c, "reject_malformed_from");
	in->reject_author =
		strcmp(config_string(c, "smtpd_from_login_mismatch"),
		       "reject") == 0;
	in->origin = config_string(c, "myorigin");
	in->dmarc_reject = config_bool(c, "dmarc_reject");
	characters_read(&in->rejected,
			config_string(c, "message_reject_characters"));
	characters_read(&in->stripped,
			config_string(c, "message_strip_characters"));
	in->rows = rows;
	in->queue = queue_receiver_new();
	in->arena = arena_new();
	buf_init(&in->raw, QUEUE_HEADER_MAX + PIECE);
	buf_init(&in->clean, PIECE);
	buf_init(&in->fields, 65536);
	buf_init(&in->body, in->size_limit ? (size_t)in->size_limit : SIZE_MAX);
	intake_header_init(&in->header);
	return in;
}

void intake_free(struct intake **in)
{
	if (!*in)
		return;
	queue_receiver_free(&(*in)->queue);
	arena_free(&(*in)->arena);
	buf_free(&(*in)->raw);
	buf_free(&(*in)->clean);
	buf_free(&(*in)->fields);
	buf_free(&(*in)->body);
	intake_header_free(&(*in)->header);
	free(*in);
	*in = NULL;
}

/* The answer when the queue does not take a message. */
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

static void forget(struct intake *in)
{
	arena_reset(in->arena);
	buf_reset(&in->raw);
	buf_reset(&in->fields);
	if (in->new_body) { /* may be large */
		buf_free(&in->body);
		buf_init(&in->body, in->body.max);
	}
	in->size = 0;
	in->in_body = in->failed = in->new_body = false;
	in->author_judged = false;
	*in->signer = '\0';
	in->fate = INTAKE_ACCEPT;
	in->why[0] = '\0';
}

bool intake_begin(struct intake *in, enum intake_kind kind, struct envelope *e,
		  struct answer *a)
{
	int err;

	intake_abandon(in);
	err = queue_begin(in->queue);
	if (err) {
		log_warn("no place in the queue: %s", err_why(err));
		return answer_refuse(a, "%s", queue_fault(err));
	}
	forget(in);
	in->open = true;
	in->kind = kind;
	in->e = e;
	e->arrival_us = clock_wall_us();
	in->envelope = *e;
	return true;
}

const char *intake_id(const struct intake *in)
{
	return queue_id(in->queue);
}

void intake_note(struct intake *in, enum intake_action action, const char *why)
{
	if (action <= in->fate)
		return;
	in->fate = action;
	snprintf(in->why, sizeof(in->why), "%s", why);
}

void intake_refuse(struct intake *in, const char *fmt, ...)
{
	char text[ANSWER_SIZE];
	va_list ap;

	if (in->failed)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	answer_set(&in->fault, "%s", text);
	in->failed = true;
}

bool intake_failed(const struct intake *in)
{
	return in->failed;
}

void intake_check_queue(struct intake *in, int err)
{
	if (!err || in->failed)
		return;
	log_warn("%s: cannot be queued: %s", queue_id(in->queue), err_why(err));
	intake_refuse(in, "%s", queue_fault(err));
}

void intake_put(struct intake *in, const void *data, size_t n)
{
	if (!in->failed && n > 0)
		intake_check_queue(in, queue_write(in->queue, data, n));
}

/* Asks the rows of TABLE for STAGE, and records the result for the message. */
static void ask(struct intake *in, const struct intake_row *table,
		enum intake_stage stage, const char *data, size_t n)
{
	const struct intake_question q = { .stage = stage,
					   .kind = in->kind,
					   .e = in->e,
					   .intake = in,
					   .data = data,
					   .n = n };
	enum intake_action action;
	char why[sizeof(in->why)];
	const char *name = "";
	struct answer a;

	if (in->failed)
		return;
	action = intake_ask(table, &q, &a, &name);
	if (action == INTAKE_ACCEPT)
		return;
	if (action >= INTAKE_DEFER) {
		intake_refuse(in, "%s", a.text);
		return;
	}
	snprintf(why, sizeof(why), "%s: %s", name, a.text);
	intake_note(in, action, why);
}

static void take_body(struct intake *in, const char *data, size_t n)
{
	if (n == 0)
		return;
	ask(in, intake_own_rows, INTAKE_BODY, data, n);
	ask(in, in->rows, INTAKE_BODY, data, n);
	intake_put(in, data, n);
}

/* The header is the first N bytes of RAW: filters and writes it, then lets the
 * other rows see it. */
static void end_header(struct intake *in, size_t n)
{
	struct buf out;
	const char *end = in->raw.data + in->raw.len;

	in->in_body = true;
	intake_header_read(&in->header, in->raw.data, n);
	ask(in, intake_own_rows, INTAKE_HEADER, NULL, 0);
	buf_init(&out, 2 * QUEUE_HEADER_MAX);
	intake_header_write(&in->header, &out);
	intake_header_settled(&in->header);
	if (out.over)
		intake_refuse(in, "552 5.3.4 Error: the header is too large");
	in->header_size = out.len;
	intake_put(in, out.data, out.len);
	buf_free(&out);
	ask(in, in->rows, INTAKE_HEADER, NULL, 0);
	take_body(in, in->header.body, (size_t)(end - in->header.body));
}

static void take_header(struct intake *in, const void *data, size_t n)
{
	size_t seen = in->raw.len, end;

	buf_put(&in->raw, data, n);
	end = mime_header_end(in->raw.data, in->raw.len, seen);
	if (end > QUEUE_HEADER_MAX || (!end && in->raw.len > QUEUE_HEADER_MAX))
		intake_refuse(in, "552 5.3.4 Error: the header is too large");
	else if (end)
		end_header(in, end);
}

/* A piece without the characters of SET. */
static void strip(struct intake *in, const struct characters *set,
		  const char **data, size_t *n)
{
	if (!characters_occur(set, *data, *n))
		return;
	if (*data != in->clean.data) {
		buf_reset(&in->clean);
		buf_put(&in->clean, *data, *n);
	}
	*data = in->clean.data;
	*n = characters_strip(set, in->clean.data, *n);
}

/* A program on this host may have nobody who could read a refusal: what was to
 * be refused is removed. */
static void take_piece(struct intake *in, const char *data, size_t n)
{
	if (!*in->e->client)
		strip(in, &in->rejected, &data, &n);
	else if (characters_occur(&in->rejected, data, n))
		intake_refuse(in, "550 5.6.0 Error: the message contains a "
				  "character that is not allowed");
	strip(in, &in->stripped, &data, &n);
	if (in->failed)
		return;
	if (in->in_body)
		take_body(in, data, n);
	else
		take_header(in, data, n);
}

int intake_write(void *context, const void *data, size_t n)
{
	struct intake *in = context;
	const char *p = data;

	if (!in->failed)
		in->size += (int64_t)n;
	while (n > 0 && !in->failed) {
		size_t piece = n < PIECE ? n : PIECE;

		take_piece(in, p, piece);
		p += piece;
		n -= piece;
	}
	return ERR_OK;
}

int64_t intake_size(const struct intake *in)
{
	return in->size;
}

/* The Message-ID as the log shows it: one word, of a bounded length. */
static void put_message_id(const struct intake *in, struct buf *out)
{
	size_t at = intake_header_find(&in->header, "Message-ID", 0);

	if (at == in->header.n)
		return;
	intake_header_value(&in->header, at, out);
	buf_truncate(out, MESSAGE_ID_MAX);
	for (size_t i = 0; i < out->len; i++)
		if (out->data[i] <= ' ' || out->data[i] >= 0x7f)
			out->data[i] = '?';
}

static void log_taken(const struct intake *in, const char *client)
{
	struct buf id;

	buf_init(&id, QUEUE_HEADER_MAX);
	put_message_id(in, &id);
	log_info("%s: %s, message-id=%s", queue_id(in->queue), client, id.data);
	buf_free(&id);
	if (in->fate != INTAKE_ACCEPT)
		log_info("%s: %s: END-OF-MESSAGE: %s; %s, from=<%s>",
			 queue_id(in->queue),
			 in->fate == INTAKE_DISCARD ? "discard" : "hold",
			 in->why, client, in->e->sender);
}

static void commit(struct intake *in, const char *client)
{
	intake_sign(in);
	if (in->failed)
		return;
	log_taken(in, client);
	in->envelope.prologue = in->fields.data;
	in->envelope.hold = in->fate == INTAKE_QUARANTINE ? in->why : "";
	intake_check_queue(in, queue_commit(in->queue, &in->envelope));
	if (!in->failed)
		in->open = false;
}

/* Asks the last rows, makes the changes. */
static void finish(struct intake *in)
{
	if (!in->failed && !in->in_body)
		end_header(in, in->raw.len);
	ask(in, intake_own_rows, INTAKE_END, NULL, 0);
	ask(in, in->rows, INTAKE_END, NULL, 0);
	if (!in->failed)
		intake_apply_edits(in);
}

bool intake_end(struct intake *in, const char *client, struct answer *a)
{
	finish(in);
	if (!in->failed && in->fate == INTAKE_DISCARD)
		log_taken(in, client);
	else if (!in->failed)
		commit(in, client);
	if (in->failed) {
		log_info("%s: reject: END-OF-MESSAGE: %s; %s, from=<%s>",
			 queue_id(in->queue), in->fault.text, client,
			 in->e->sender);
		*a = in->fault;
	} else {
		answer_set(a, "250 2.0.0 Ok: queued as %s",
			   queue_id(in->queue));
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
