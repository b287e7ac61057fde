#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "imapd/commands.h"
#include "imapd/fetch.h"
#include "imapd/set.h"
#include "imapd/update.h"

/* What a response needs besides the table: gone messages have none of it. */
#define STRUCTURE (FETCH_BODY | FETCH_BODYSTRUCTURE)
#define FACTS (FETCH_ENVELOPE | STRUCTURE)

struct fetching {
	struct session *s;
	const struct fetch *f;
	size_t missing; /* messages that were gone */
	int code;	/* why it stopped */
};

/* Marks as read what is fetched without PEEK, all at once. FRESH gets those
 * that were not. */
static int mark_seen(struct session *s, const uint32_t *seq, size_t n,
		     bool *fresh)
{
	uint32_t *unseen = arena_alloc(s->c.arena, (n + 1) * sizeof(*unseen));
	size_t i, count = 0;
	int code;

	for (i = 0; i < n; i++) {
		struct mailbox_message m = mailbox_get(s->box, seq[i]);

		fresh[i] = !m.gone && !(m.flags & MAILBOX_SEEN);
		if (fresh[i])
			unseen[count++] = seq[i];
	}
	if (count == 0)
		return ERR_OK;
	code = mailbox_store(s->box, unseen, count, MAILBOX_ADD, MAILBOX_SEEN,
			     0, UINT64_MAX, NULL);
	if (code == ERR_OK)
		session_changed_here(s);
	return code;
}

static void put_table(struct session *s, const struct mailbox_message *m,
		      unsigned what)
{
	char date[CLOCK_DATE_SIZE];
	struct buf *b = &s->out;

	if (what & FETCH_UID)
		update_put_uid(b, m->uid);
	if (what & FETCH_FLAGS) {
		buf_puts(b, "FLAGS ");
		update_put_message_flags(s, b, m);
		buf_putc(b, ' ');
	}
	if (what & FETCH_INTERNALDATE) {
		buf_puts(b, "INTERNALDATE \"");
		buf_puts(b, clock_imap_date(date, sizeof(date), m->received));
		buf_puts(b, "\" ");
	}
}

static void put_named(struct buf *b, const char *name, const char *data,
		      size_t n)
{
	buf_puts(b, name);
	buf_put(b, data, n);
	buf_putc(b, ' ');
}

static int put_facts(struct session *s, uint32_t seq, unsigned what)
{
	struct mailbox_facts f;
	struct buf *b = &s->out;
	int code = mailbox_facts(s->box, seq, what & STRUCTURE, &f);

	if (code != ERR_OK)
		return code;
	if (what & FETCH_ENVELOPE)
		put_named(b, "ENVELOPE ", f.envelope, f.envelope_len);
	if (what & FETCH_BODY)
		put_named(b, "BODY ", f.body, f.body_len);
	if (what & FETCH_BODYSTRUCTURE)
		put_named(b, "BODYSTRUCTURE ", f.bodystructure,
			  f.bodystructure_len);
	return ERR_OK;
}

static void put_size_item(struct buf *b, uint32_t size)
{
	buf_puts(b, "RFC822.SIZE ");
	buf_put_uint(b, size);
	buf_putc(b, ' ');
}

static int put_size(struct session *s, uint32_t seq,
		    const struct mailbox_message *m)
{
	uint32_t size = m->size;
	int code = size ? ERR_OK : mailbox_size(s->box, seq, &size);

	if (code == ERR_OK)
		put_size_item(&s->out, size);
	return code;
}

/* The items behind "(", each followed by a space. */
static int put_items(struct fetching *t, uint32_t seq,
		     const struct mailbox_message *m, unsigned what)
{
	struct session *s = t->s;
	int code = ERR_OK;
	size_t i;

	put_table(s, m, what);
	if (what & FETCH_SIZE)
		code = put_size(s, seq, m);
	if (code == ERR_OK && what & FACTS)
		code = put_facts(s, seq, what);
	for (i = 0; code == ERR_OK && i < t->f->nsections; i++) {
		code = fetch_put_section(s, &t->f->section[i], seq);
		buf_putc(&s->out, ' ');
	}
	return code;
}

/* One response. If the message turns out to be gone nothing of it is sent,
 * unless a part of it was already: then the connection has to end. */
static void put_message(struct fetching *t, uint32_t seq, bool fresh)
{
	struct session *s = t->s;
	struct buf *b = &s->out;
	struct mailbox_message m = mailbox_get(s->box, seq);
	unsigned what = t->f->what | (s->by_uid ? FETCH_UID : 0) |
			(fresh ? FETCH_FLAGS : 0);
	int code;

	stream_put(s->c.io, b->data, b->len);
	buf_reset(b);
	s->flushed = false;
	update_put_fetch(b, seq);
	code = put_items(t, seq, &m, what);
	if (code == ERR_OK) {
		b->data[b->len - 1] = ')';
		buf_puts(b, "\r\n");
		return;
	}
	if (s->flushed || code == ERR_IO) {
		t->code = ERR_IO;
		return;
	}
	buf_reset(b);
	if (code == ERR_NOT_FOUND)
		t->missing++;
	else
		t->code = code;
}

static void finish(struct fetching *t)
{
	struct session *s = t->s;

	if (t->code == ERR_IO)
		s->ended = true;
	else if (t->code != ERR_OK)
		session_fail(s, t->code);
	else if (t->missing > 0)
		session_reply(s, "NO [EXPUNGEISSUED] Some messages are gone.");
	else
		session_reply(s, "OK Fetch completed.");
}

static void fetch(struct session *s, const struct fetch *f, const uint32_t *seq,
		  size_t n)
{
	struct fetching t = { .s = s, .f = f };
	bool *fresh = arena_alloc(s->c.arena, n + 1);
	size_t i;

	if (f->set_seen && !s->read_only)
		t.code = mark_seen(s, seq, n, fresh);
	buf_reset(&s->out);
	for (i = 0; i < n && t.code == ERR_OK; i++)
		put_message(&t, seq[i], fresh[i]);
	stream_put(s->c.io, s->out.data, s->out.len);
	buf_reset(&s->out);
	finish(&t);
}

void cmd_fetch(struct session *s)
{
	const struct arg *a = s->c.args;
	struct fetch f;
	uint32_t *seq;
	size_t n;
	const char *why = fetch_parse(s->c.arena, &a[1], &f);

	if (why) {
		s->c.bad++;
		conn_reply(&s->c, "BAD %s", why);
		return;
	}
	if (set_messages(s, &a[0], &seq, &n))
		fetch(s, &f, seq, n);
}
