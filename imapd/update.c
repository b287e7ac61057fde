#include "imapd/update.h"

#include <string.h>

#include "base/err.h"
#include "imapd/context.h"
#include "imapd/flags.h"
#include "imapd/reopen.h"

void update_put_message_flags(struct session *s, struct buf *out,
			      const struct mailbox_message *m)
{
	struct mailbox_message *last = &s->flags_of;

	if (s->flags.len == 0 || last->flags != m->flags ||
	    last->keywords != m->keywords || last->recent != m->recent) {
		buf_reset(&s->flags);
		flags_put(&s->flags, s->box, m);
		*last = *m;
	}
	buf_put(out, s->flags.data, s->flags.len);
}

void update_put_fetch(struct buf *out, uint32_t seq)
{
	buf_put(out, "* ", 2);
	buf_put_uint(out, seq);
	buf_put(out, " FETCH (", 8);
}

void update_put_uid(struct buf *out, uint32_t uid)
{
	buf_put(out, "UID ", 4);
	buf_put_uint(out, uid);
	buf_putc(out, ' ');
}

void update_put_fetch_flags(struct session *s, struct buf *out, uint32_t seq,
			    const struct mailbox_message *m)
{
	update_put_fetch(out, seq);
	if (s->by_uid)
		update_put_uid(out, m->uid);
	buf_puts(out, "FLAGS ");
	update_put_message_flags(s, out, m);
	buf_puts(out, ")\r\n");
}

static void put_keywords(struct session *s, struct buf *b)
{
	const char *keyword;
	unsigned i;

	for (i = 0; (keyword = mailbox_keyword(s->box, i)); i++)
		buf_printf(b, " %s", keyword);
	s->keywords = i;
}

void update_put_flags(struct session *s)
{
	struct buf *b = &s->out;

	buf_reset(b);
	buf_puts(b, "* FLAGS (" FLAGS_SYSTEM);
	put_keywords(s, b);
	buf_puts(b, ")\r\n* OK [PERMANENTFLAGS (");
	if (!s->read_only) {
		buf_puts(b, FLAGS_SYSTEM);
		put_keywords(s, b);
		if (s->keywords < MAILBOX_KEYWORDS_MAX)
			buf_puts(b, " \\*");
	}
	buf_puts(b, s->read_only ? ")] Read-only mailbox.\r\n"
				 : ")] Flags permitted.\r\n");
	stream_put(s->c.io, b->data, b->len);
}

void update_keywords(struct session *s)
{
	if (mailbox_keyword(s->box, s->keywords))
		update_put_flags(s);
}

static void put_expunges(struct session *s, const struct mailbox_changes *c)
{
	struct buf *b = &s->out;
	size_t i;

	context_gone(s, c->expunged, c->expunged_uid, c->nexpunged);
	buf_reset(b);
	for (i = 0; i < c->nexpunged; i++) {
		buf_put(b, "* ", 2);
		buf_put_uint(b, c->expunged[i]);
		buf_puts(b, " EXPUNGE\r\n");
	}
	s->told -= (uint32_t)c->nexpunged;
	stream_put(s->c.io, b->data, b->len);
}

static void put_flag_changes(struct session *s, const struct mailbox_changes *c)
{
	struct buf *b = &s->out;
	size_t i;

	buf_reset(b);
	for (i = 0; i < c->nflagged; i++) {
		struct mailbox_message m = mailbox_get(s->box, c->flagged[i]);

		update_put_fetch_flags(s, b, c->flagged[i], &m);
	}
	stream_put(s->c.io, b->data, b->len);
}

static void put_counts(struct session *s)
{
	uint32_t count = mailbox_count(s->box);
	uint32_t recent = mailbox_recent(s->box);

	if (count != s->told)
		conn_put(&s->c, "* %u EXISTS", count);
	if (count != s->told || recent != s->told_recent)
		conn_put(&s->c, "* %u RECENT", recent);
	s->told = count;
	s->told_recent = recent;
}

static int refresh(struct session *s, bool may_expunge,
		   const struct mailbox_changes **c)
{
	int code = s->lost ? ERR_CORRUPT
			   : mailbox_refresh(s->box, may_expunge, c);

	if (code != ERR_CORRUPT && code != ERR_NOT_FOUND)
		return code;
	s->lost = true;
	return reopen(s, may_expunge) ? mailbox_refresh(s->box, may_expunge, c)
				      : code;
}

void update_send(struct session *s, bool may_expunge)
{
	const struct mailbox_changes *c;

	if (!s->box || refresh(s, may_expunge, &c) != ERR_OK)
		return;
	if (c->nexpunged > 0)
		put_expunges(s, c);
	update_keywords(s);
	put_counts(s);
	if (c->nflagged > 0)
		put_flag_changes(s, c);
	context_changed(s);
}
