#include "intake/edit.h"

#include <string.h>

#include "address/address.h"
#include "base/err.h"
#include "base/str.h"
#include "intake/private.h"

struct intake_header *intake_header(struct intake *in)
{
	return &in->header;
}

int intake_file(struct intake *in, off_t *offset, off_t *length, off_t *body)
{
	int err = in->failed ? ERR_IO : queue_flush(in->queue), fd;

	intake_check_queue(in, err);
	if (err)
		return -1;
	fd = queue_file(in->queue, offset, length);
	*body = *offset + (off_t)in->header_size;
	return fd;
}

void intake_new_body(struct intake *in)
{
	in->new_body = true;
	buf_reset(&in->body);
}

bool intake_put_body(struct intake *in, const void *data, size_t n)
{
	buf_put(&in->body, data, n);
	return !in->body.over;
}

/* The canonical text of the address TEXT in the message's memory; NULL if it
 * is not one. */
static const char *canonical(struct intake *in, const char *text)
{
	char out[ADDRESS_TEXT_SIZE];
	struct address a;

	if (address_parse(text, strlen(text), &a))
		return NULL;
	return arena_strdup(in->arena, address_text(&a, out));
}

bool intake_change_sender(struct intake *in, const char *text)
{
	const char *sender = *text ? canonical(in, text) : "";

	if (sender)
		in->envelope.sender = sender;
	return sender != NULL;
}

/* The recipients in the message's memory, with room for one more. */
static struct envelope_recipient *own_recipients(struct intake *in)
{
	struct envelope *e = &in->envelope;
	struct envelope_recipient *own =
		arena_alloc(in->arena, (e->nrecipients + 1) * sizeof(*own));

	if (e->nrecipients)
		memcpy(own, e->recipient, e->nrecipients * sizeof(*own));
	e->recipient = own;
	return own;
}

bool intake_add_recipient(struct intake *in, const char *text)
{
	const char *address = canonical(in, text);

	if (!address)
		return false;
	own_recipients(in)[in->envelope.nrecipients++] =
		(struct envelope_recipient){ .address = address, .orcpt = "" };
	return true;
}

bool intake_remove_recipient(struct intake *in, const char *text)
{
	struct envelope *e = &in->envelope;
	struct envelope_recipient *r = own_recipients(in);
	size_t kept = 0;

	for (size_t i = 0; i < e->nrecipients; i++)
		if (!address_equal(r[i].address, text))
			r[kept++] = r[i];
	if (kept == e->nrecipients)
		return false;
	e->nrecipients = kept;
	return true;
}

static void write_header(const struct intake *in, struct buf *out)
{
	buf_init(out, 2 * QUEUE_HEADER_MAX);
	intake_header_write(&in->header, out);
}

/* Writes everything again: only a new body requires this. */
static void write_again(struct intake *in)
{
	struct buf header;

	write_header(in, &header);
	if (in->body.over || header.over)
		intake_refuse(in, "552 5.3.4 Error: message file too big");
	intake_check_queue(in, queue_restart(in->queue));
	intake_put(in, header.data, header.len);
	intake_put(in, in->body.data, in->body.len);
	buf_free(&header);
}

static void write_header_again(struct intake *in)
{
	struct buf header;

	write_header(in, &header);
	if (header.over)
		intake_refuse(in, "552 5.3.4 Error: the header is too large");
	else
		intake_check_queue(
			in, queue_replace_head(in->queue, in->header_size,
					       header.data, header.len));
	buf_free(&header);
}

/* Does an address need SMTPUTF8? */
static bool needs_utf8(const struct envelope *e)
{
	bool needs = !str_is_ascii(e->sender);

	for (size_t i = 0; i < e->nrecipients; i++)
		needs |= !str_is_ascii(e->recipient[i].address);
	return needs;
}

/* What follows from the envelope as the rows have left it: a row, or a later
 * one, may take back what one did. */
static void judge_envelope(struct intake *in)
{
	if (in->envelope.nrecipients == 0 && in->e->nrecipients > 0)
		intake_note(in, INTAKE_DISCARD, "no recipient is left");
	in->envelope.smtputf8 |= needs_utf8(&in->envelope);
}

void intake_apply_edits(struct intake *in)
{
	judge_envelope(in);
	if (in->fate == INTAKE_DISCARD)
		return;
	if (in->new_body)
		write_again(in);
	else if (in->header.changed)
		write_header_again(in);
}
