/*
 * FETCH and UID FETCH: messages of the set are marked as read first, all at
 * once, then each is answered by one response, made in s->out and sent while
 * it grows if it is long. A message that cannot be read costs its own response
 * only, unless a part of it was sent already.
 */
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "imapd/commands.h"
#include "imapd/enabled.h"
#include "imapd/fetch.h"
#include "imapd/resync.h"
#include "imapd/rights.h"
#include "imapd/set.h"
#include "imapd/thread-id.h"
#include "imapd/update.h"
#include "log/log.h"

/* Items that need more than the table: gone messages have none of them. */
#define STRUCTURE (FETCH_BODY | FETCH_BODYSTRUCTURE)
#define FACTS (FETCH_ENVELOPE | STRUCTURE)

struct fetching {
	struct session *s;
	const struct fetch *f;
	size_t missing; /* messages that were gone */
	size_t failed;	/* messages that otherwise could not be read */
	int code;	/* why the first of these could not */
};

/* Marks messages fetched without PEEK as read, all at once. FRESH gets those
 * that were not. If that fails, on a full disk, they can still be read, and
 * the client is told. */
static void mark_seen(struct session *s, const uint32_t *seq, size_t n,
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
		return;
	code = mailbox_store(s->box, unseen, count, MAILBOX_ADD, MAILBOX_SEEN,
			     0, UINT64_MAX, NULL);
	if (code == ERR_OK) {
		session_changed(s, FEED_FLAGS);
		return;
	}
	memset(fresh, 0, n);
	conn_put(&s->c, "* NO %s \\Seen was not set.",
		 session_failure(s, code));
}

static void put_table(struct session *s, const struct mailbox_message *m,
		      unsigned what)
{
	char date[CLOCK_DATE_SIZE];
	struct buf *b = &s->out;

	if (what & FETCH_UID)
		update_put_uid(b, m->uid);
	if (what & FETCH_MODSEQ)
		update_put_modseq(s, b, m->modseq);
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
	if (what & FETCH_SAVEDATE) {
		buf_puts(b, "SAVEDATE \"");
		buf_puts(b, clock_imap_date(date, sizeof(date), m->saved));
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

/* The cache has BODYSTRUCTURE as of IMAP4rev1. */
static bool is_global(const struct session *s, const struct mailbox_facts *f)
{
	static const char type[] = "\"message\" \"global\" ";
	const char *p = f->bodystructure, *end = p + f->bodystructure_len;

	if (!enabled(s, ENABLED_REV2))
		return false;
	while ((p = memchr(p, '(', (size_t)(end - p)))) {
		p++;
		if ((size_t)(end - p) >= strlen(type) &&
		    str_span_is(p, strlen(type), type))
			return true;
	}
	return false;
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
	if (what & STRUCTURE && is_global(s, &f))
		return fetch_put_global(s, seq, what);
	if (what & FETCH_BODY)
		put_named(b, "BODY ", f.body, f.body_len);
	if (what & FETCH_BODYSTRUCTURE)
		put_named(b, "BODYSTRUCTURE ", f.bodystructure,
			  f.bodystructure_len);
	return ERR_OK;
}

static int put_email_id(struct session *s, uint32_t seq)
{
	char id[MAILBOX_EMAIL_ID_SIZE];
	int code = mailbox_email_id(s->box, seq, id);

	if (code == ERR_OK)
		buf_printf(&s->out, "EMAILID (%s) ", id);
	return code;
}

static int put_thread_id(struct session *s, uint32_t seq)
{
	char id[THREAD_ID_SIZE];
	int code = thread_id(s, seq, id);

	if (code == ERR_OK && *id)
		buf_printf(&s->out, "THREADID (%s) ", id);
	else if (code == ERR_OK)
		buf_puts(&s->out, "THREADID NIL ");
	return code;
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
	if (code == ERR_OK && what & FETCH_EMAILID)
		code = put_email_id(s, seq);
	if (code == ERR_OK && what & FETCH_THREADID)
		code = put_thread_id(s, seq);
	if (code == ERR_OK && what & FETCH_PREVIEW)
		code = fetch_put_preview(s, seq, what & FETCH_LAZY);
	for (i = 0; code == ERR_OK && i < t->f->nsections; i++) {
		code = fetch_put_section(s, &t->f->section[i], seq);
		buf_putc(&s->out, ' ');
	}
	return code;
}

/* The substitute for a message that another session expunged (RFC 2180 4.1.3):
 * many clients throw away the other responses if the answer is NO. */
static void put_gone(struct fetching *t, const struct mailbox_message *m,
		     unsigned what)
{
	static const struct {
		unsigned what;
		const char *text;
	} rows[] = {
		{ FETCH_SIZE, "RFC822.SIZE 0 " },
		{ FETCH_ENVELOPE,
		  "ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) " },
		{ FETCH_BODY,
		  "BODY (\"text\" \"plain\" NIL NIL NIL \"7bit\" 0 0) " },
		{ FETCH_BODYSTRUCTURE,
		  "BODYSTRUCTURE (\"text\" \"plain\" NIL NIL NIL \"7bit\" 0 0"
		  " NIL NIL NIL NIL) " },
		{ FETCH_PREVIEW, "PREVIEW \"\" " },
	};
	struct buf *b = &t->s->out;

	put_table(t->s, m, what);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (what & rows[i].what)
			buf_puts(b, rows[i].text);
	for (size_t i = 0; i < t->f->nsections; i++) {
		fetch_put_nil(t->s, &t->f->section[i]);
		buf_putc(b, ' ');
	}
}

/* The current message could not be read. Its response so far is dropped; but
 * if a part was sent the connection has to end, since the rest of the literal
 * cannot be sent. */
static void fail(struct fetching *t, uint32_t uid, int code)
{
	struct session *s = t->s;

	buf_reset(&s->out);
	if (code != ERR_UNSUPPORTED || s->flushed)
		log_error("imap: user=%s, mailbox=%s, uid=%u: cannot be "
			  "read%s: %s",
			  s->user, s->name, uid,
			  s->flushed ? ", and a part was sent" : "",
			  err_why(code));
	if (s->flushed)
		s->ended = true;
	if (t->failed++ == 0)
		t->code = code;
}

/* What is told of a message whose flags this command has changed (RFC 7162
 * section 3.2.4). */
static unsigned changed_items(const struct session *s)
{
	return FETCH_FLAGS | (enabled(s, ENABLED_CONDSTORE)
				      ? FETCH_UID_TOO | FETCH_MODSEQ
				      : 0);
}

static unsigned items_of(const struct fetching *t, bool fresh)
{
	const struct session *s = t->s;
	unsigned what = t->f->what | (s->by_uid ? FETCH_UID_TOO : 0) |
			(fresh ? changed_items(s) : 0);

	if (what & FETCH_UID_TOO && !enabled(s, ENABLED_UIDONLY))
		what |= FETCH_UID;
	return what;
}

/* One response, or nothing. */
static void put_message(struct fetching *t, uint32_t seq, bool fresh)
{
	struct session *s = t->s;
	struct buf *b = &s->out;
	struct mailbox_message m = mailbox_get(s->box, seq);
	unsigned what = items_of(t, fresh);
	int code;

	stream_put(s->c.io, b->data, b->len);
	buf_reset(b);
	s->flushed = false;
	update_put_fetch(s, b, seq, m.uid);
	code = put_items(t, seq, &m, what);
	if (code == ERR_NOT_FOUND && !s->flushed) {
		t->missing++;
		buf_reset(b);
		update_put_fetch(s, b, seq, m.uid);
		put_gone(t, &m, what);
		code = ERR_OK;
	}
	if (code == ERR_OK) {
		b->data[b->len - 1] = ')';
		buf_puts(b, "\r\n");
		return;
	}
	fail(t, m.uid, code);
}

static void finish(struct fetching *t)
{
	struct session *s = t->s;

	if (s->ended)
		return;
	if (t->failed > 0 && t->code == ERR_UNSUPPORTED)
		session_reply(s, "NO [UNKNOWN-CTE] A part's transfer encoding "
				 "is unknown.");
	else if (t->failed > 0)
		session_reply(s,
			      "NO [UNAVAILABLE] %zu of the messages could "
			      "not be read: %s.",
			      t->failed, err_text(t->code));
	else if (t->missing > 0)
		session_reply(s, "OK [EXPUNGEISSUED] Some messages are gone.");
	else
		session_reply(s, "OK Fetch completed.");
}

static void fetch(struct session *s, const struct fetch *f, const uint32_t *seq,
		  size_t n)
{
	struct fetching t = { .s = s, .f = f };
	bool *fresh = arena_alloc(s->c.arena, n + 1);
	size_t i;

	if (f->set_seen && !s->read_only && rights_may(s, ACL_SEEN))
		mark_seen(s, seq, n, fresh);
	buf_reset(&s->out);
	for (i = 0; i < n && !s->ended; i++)
		put_message(&t, seq[i], fresh[i]);
	stream_put(s->c.io, s->out.data, s->out.len);
	buf_reset(&s->out);
	finish(&t);
}

void fetch_put(struct session *s, const struct fetch *f, uint32_t seq)
{
	struct fetching t = { .s = s, .f = f };

	if (mailbox_get(s->box, seq).gone)
		return;
	buf_reset(&s->out);
	put_message(&t, seq, false);
	stream_put(s->c.io, s->out.data, s->out.len);
	buf_reset(&s->out);
}

/* VANISHED and PARTIAL are for UID FETCH, and VANISHED only for clients that
 * have enabled it (RFC 7162 section 3.2.6, RFC 9394 section 3.3). */
static const char *check_modifiers(const struct session *s,
				   const struct fetch *f)
{
	if (f->vanished && !s->by_uid)
		return "VANISHED is for UID FETCH.";
	if (f->part.text && !s->by_uid)
		return "PARTIAL is for UID FETCH.";
	if (f->vanished && !enabled(s, ENABLED_QRESYNC))
		return "QRESYNC was not enabled.";
	return NULL;
}

/* SEQ[N] becomes the part of it that is wanted: of the messages that are there,
 * changed or not (RFC 9394 section 3.4). */
static void take_part(const struct fetch *f, uint32_t **seq, size_t *n)
{
	size_t start;

	if (!f->part.text)
		return;
	range_apply(&f->part, *n, &start, n);
	*seq += start;
}

/* Keeps in SEQ[N] what has changed, and tells what has vanished of SET. */
static size_t since(struct session *s, const struct fetch *f,
		    const struct arg *set, uint32_t *seq, size_t n)
{
	size_t i, kept = 0;

	for (i = 0; i < n; i++) {
		struct mailbox_message m = mailbox_get(s->box, seq[i]);

		if (m.modseq > f->changed_since && !m.gone)
			seq[kept++] = seq[i];
	}
	if (f->vanished)
		resync_put_vanished(s, f->changed_since, set);
	return kept;
}

void cmd_fetch(struct session *s)
{
	const struct arg *a = s->c.args;
	struct fetch f;
	uint32_t *seq;
	size_t n;
	const char *why = fetch_parse(s, &a[1], &f);

	if (!why)
		why = check_modifiers(s, &f);
	if (why) {
		conn_bad(&s->c, why);
		return;
	}
	if (!set_messages(s, &a[0], &seq, &n))
		return;
	take_part(&f, &seq, &n);
	if (f.what & FETCH_MODSEQ)
		enable(s, ENABLED_CONDSTORE);
	if (f.changed)
		n = since(s, &f, &a[0], seq, n);
	fetch(s, &f, seq, n);
}
