/*
 * UIDBATCHES (RFC 10022): ranges of UIDs with so many messages each, from the
 * highest down, without gaps, so that the last one ends at 1.
 */
#include <string.h>

#include "base/str.h"
#include "imapd/commands.h"
#include "imapd/range.h"

#define SIZE_MIN 500

/* The messages that are in none of the batches before NUMBER (from 1). */
static uint32_t left_before(uint32_t count, uint32_t size, uint32_t number)
{
	uint64_t before = (uint64_t)size * (number - 1);

	return before < count ? count - (uint32_t)before : 0;
}

static void put_batch(struct session *s, uint32_t left, uint32_t size)
{
	uint32_t count = mailbox_count(s->box), high, low = 1;

	high = left == count ? mailbox_uid(s->box, left)
			     : mailbox_uid(s->box, left + 1) - 1;
	if (left > size)
		low = mailbox_uid(s->box, left - size + 1);
	buf_printf(&s->out, "%u:%u", high, low);
}

static void put_batches(struct session *s, uint32_t size, const struct range *r)
{
	struct buf *b = &s->out;
	uint32_t left = left_before(mailbox_count(s->box), size, r->first);
	uint32_t number = r->first;
	char before = ' ';

	buf_reset(b);
	buf_printf(b, "* UIDBATCHES (TAG \"%s\")", s->c.tag);
	while (left > 0 && number <= r->last) {
		buf_putc(b, before);
		put_batch(s, left, size);
		left = left > size ? left - size : 0;
		before = ',';
		number++;
	}
	buf_puts(b, "\r\n");
	stream_put(s->c.io, b->data, b->len);
}

/* Each end as it is written: 4:1 is not the same as 1:4 here. */
static bool is_ascending(const struct range *r)
{
	int64_t first;
	size_t n = strcspn(r->text, ":");

	return str_span_to_int(r->text, n, 1, UINT32_MAX, &first) &&
	       (uint32_t)first == r->first;
}

void cmd_uidbatches(struct session *s)
{
	const struct arg *a = s->c.args;
	struct range r = { .first = 1, .last = UINT32_MAX };
	int64_t size;

	if (a->type != ARG_ATOM ||
	    !str_span_to_int(a->s, a->n, 1, UINT32_MAX, &size)) {
		conn_bad(&s->c, "UIDBATCHES takes a number of messages.");
		return;
	}
	if (a[1].type != ARG_END &&
	    (!range_parse(&a[1], &r) || r.from_end || !is_ascending(&r))) {
		conn_bad(&s->c, "[CLIENTBUG] Invalid batch range.");
		return;
	}
	if (size < SIZE_MIN) {
		conn_reply(&s->c,
			   "NO [TOOFEW] A batch has at least %d "
			   "messages.",
			   SIZE_MIN);
		return;
	}
	put_batches(s, (uint32_t)size, &r);
	session_reply(s, "OK Uidbatches completed.");
}
