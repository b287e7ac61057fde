/* What the administrator can see: `list` and `show`. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "queue-manager/active.h"
#include "base/encode.h"
#include "base/err.h"
#include "queue-manager/clocks.h"
#include "queue-manager/control.h"

#define RECIPIENTS_PER_PACKET 100
#define REASON_MAX 500
#define TEXT_PER_PACKET 60000

static const char *state_name(const struct slot *slot)
{
	switch (slot->state) {
	case SLOT_ACTIVE:
		return "active";
	case SLOT_HELD:
		return "held";
	default:
		return "waiting";
	}
}

static bool is_message(const struct slot *slot)
{
	return slot->state == SLOT_ACTIVE || slot->state == SLOT_WAITING ||
	       slot->state == SLOT_HELD;
}

/* Reads the message of SLOT from its file into c->item. */
static int load(struct control *c, struct slot *slot)
{
	bool was_open = slot->files != NULL;
	int fd = slot_ro(slot), err;

	message_free(&c->item);
	err = fd < 0 ? err_sys("open", "its file")
		     : message_load(&c->item, fd, slot->generation, false);
	if (!was_open)
		slot_close(slot);
	if (err)
		message_free(&c->item);
	return err;
}

static void put_recipient(struct ipc_out *out, const struct recipient *r)
{
	struct buf b;

	buf_init(&b, 16384);
	encode_percent(&b, r->address, strlen(r->address));
	buf_putc(&b, ' ');
	encode_percent(&b, r->reply, strnlen(r->reply, REASON_MAX));
	if (!b.over)
		ipc_put_span(out, "rcpt", b.data, b.len);
	buf_free(&b);
}

/* The next recipients of c->item that are still to be delivered. */
static void put_recipients(struct control *c)
{
	int n = 0;

	for (; c->at < c->item.nrcpts && n < RECIPIENTS_PER_PACKET; c->at++) {
		const struct recipient *r = &c->item.rcpt[c->at];

		if (r->state != RECIPIENT_TODO)
			continue;
		put_recipient(&c->out, r);
		n++;
	}
	if (c->at == c->item.nrcpts)
		message_free(&c->item);
	control_send(c);
}

static void put_message(struct control *c, const struct slot *slot)
{
	const struct message *m = &c->item;

	ipc_begin(&c->out, "message");
	ipc_put(&c->out, "id", m->super.id);
	ipc_put(&c->out, "state", state_name(slot));
	ipc_put(&c->out, "sender", m->envelope.sender);
	ipc_put_int(&c->out, "size", m->super.length);
	ipc_put_int(&c->out, "arrival", message_arrival(m));
	ipc_put_int(&c->out, "next",
		    slot->state == SLOT_ACTIVE ? 0
					       : clocks_wall(c->q, slot->next));
	ipc_put_int(&c->out, "attempts", m->attempts);
	c->at = 0;
	put_recipients(c);
}

/* A message that cannot be read is still in the queue. */
static void put_unreadable(struct control *c, const struct slot *slot, int err)
{
	char id[QUEUE_ID_SIZE];
	struct recipient r = { .address = "?", .reply = err_why(err) };

	queue_id_make(id, (int64_t)slot->arrival * 1000000, slot->number);
	ipc_begin(&c->out, "message");
	ipc_put(&c->out, "id", id);
	ipc_put(&c->out, "state", state_name(slot));
	ipc_put(&c->out, "sender", "?");
	ipc_put_int(&c->out, "size", 0);
	ipc_put_int(&c->out, "arrival", slot->arrival);
	ipc_put_int(&c->out, "next",
		    slot->state == SLOT_ACTIVE ? 0
					       : clocks_wall(c->q, slot->next));
	ipc_put_int(&c->out, "attempts", slot->attempts);
	put_recipient(&c->out, &r);
	control_send(c);
}

bool list_step(struct control *c)
{
	struct slot *slot;
	int err;

	if (c->item.arena) {
		ipc_begin(&c->out, "recipients");
		put_recipients(c);
		return true;
	}
	slot = store_next(&c->q->store, c->cursor);
	if (!slot || (!c->all && slot->number != c->cursor)) {
		ipc_begin(&c->out, "end");
		ipc_put_int(&c->out, "scanning", c->scanning);
		ipc_put_int(&c->out, "strange", c->q->strange);
		ipc_put_int(&c->out, "corrupt", c->q->corrupt);
		ipc_put_int(&c->out, "aside", c->q->aside);
		control_send(c);
		return false;
	}
	/* past the last number if only one message was asked for */
	c->cursor = c->all ? slot->number + 1 : UINT32_MAX;
	if (!is_message(slot))
		return true;
	err = load(c, slot);
	if (err)
		put_unreadable(c, slot, err);
	else
		put_message(c, slot);
	return true;
}

static void put_journal(struct control *c)
{
	const struct message *m = &c->item;

	buf_printf(&c->text, "attempts %u\n", m->attempts);
	for (size_t i = 0; i < m->nrcpts; i++) {
		const struct recipient *r = &m->rcpt[i];

		buf_printf(&c->text, "recipient %zu <%s>: %s", i, r->address,
			   recipient_state_name(r));
		if (*r->dsn)
			buf_printf(&c->text, " %s", r->dsn);
		if (*r->relay)
			buf_printf(&c->text, " by %s", r->relay);
		if (*r->reply)
			buf_printf(&c->text, " (%s)", r->reply);
		buf_putc(&c->text, '\n');
	}
}

bool show_begin(struct control *c, struct slot *slot)
{
	if (load(c, slot))
		return false;
	buf_reset(&c->text);
	buf_printf(&c->text,
		   "id %s\nstate %s\nslot %" PRIu32 "\n"
		   "generation %" PRIu32 "\nsize %jd\nnext %jd\n",
		   c->item.super.id, state_name(slot), slot->number,
		   slot->generation, (intmax_t)c->item.super.length,
		   (intmax_t)clocks_wall(c->q, slot->next));
	envelope_write(&c->text, &c->item.envelope);
	put_journal(c);
	c->at = 0;
	c->cursor = slot->number;
	return true;
}

static void show_end(struct control *c)
{
	struct slot *slot = store_get(&c->q->store, c->cursor);
	int fd = -1;

	ipc_begin(&c->out, "end");
	if (c->trusted && slot && is_message(slot) &&
	    slot->generation == c->item.super.generation)
		fd = slot_ro(slot);
	if (fd >= 0) {
		ipc_put_int(&c->out, "offset", c->item.super.content);
		ipc_put_int(&c->out, "length", c->item.super.length);
		ipc_put_fd(&c->out, fd);
	}
	control_send(c);
	message_free(&c->item);
}

bool show_step(struct control *c)
{
	size_t n = c->text.len - c->at;

	if (n == 0) {
		show_end(c);
		return false;
	}
	if (n > TEXT_PER_PACKET)
		n = TEXT_PER_PACKET;
	ipc_begin(&c->out, "text");
	ipc_put_base64(&c->out, "data", c->text.data + c->at, n);
	c->at += n;
	control_send(c);
	return true;
}
