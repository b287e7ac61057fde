/*
 * Changes of the selected folder, as the client is told of them: new messages,
 * flags, expunges with the numbers that it knows, and the mod-sequence up to
 * which it knows all.
 */
#include "imapd/update.h"

#include <inttypes.h>
#include <string.h>

#include "base/err.h"
#include "imapd/context.h"
#include "imapd/enabled.h"
#include "imapd/fetch.h"
#include "imapd/flags.h"
#include "imapd/metadata-watch.h"
#include "imapd/notify.h"
#include "imapd/reopen.h"
#include "imapd/rights.h"

void update_put_message_flags(struct session *s, struct buf *out,
			      const struct mailbox_message *m)
{
	struct mailbox_message *last = &s->flags_of, told = *m;

	told.recent &= !enabled(s, ENABLED_REV2);
	if (s->flags.len == 0 || last->flags != told.flags ||
	    last->keywords != told.keywords || last->recent != told.recent) {
		buf_reset(&s->flags);
		flags_put(&s->flags, s->box, &told);
		*last = told;
	}
	buf_put(out, s->flags.data, s->flags.len);
}

void update_put_fetch(const struct session *s, struct buf *out, uint32_t seq,
		      uint32_t uid)
{
	bool by_uid = enabled(s, ENABLED_UIDONLY);

	buf_put(out, "* ", 2);
	buf_put_uint(out, by_uid ? uid : seq);
	buf_puts(out, by_uid ? " UIDFETCH (" : " FETCH (");
}

void update_put_uid(struct buf *out, uint32_t uid)
{
	buf_put(out, "UID ", 4);
	buf_put_uint(out, uid);
	buf_putc(out, ' ');
}

void update_put_modseq(struct session *s, struct buf *out, uint64_t modseq)
{
	buf_printf(out, "MODSEQ (%" PRIu64 ") ", modseq);
	if (modseq > s->modseq)
		s->modseq = modseq;
}

void update_put_fetch_flags(struct session *s, struct buf *out, uint32_t seq,
			    const struct mailbox_message *m, bool silent)
{
	bool modseq = enabled(s, ENABLED_CONDSTORE);

	if (silent && !modseq)
		return;
	update_put_fetch(s, out, seq, m->uid);
	if (!enabled(s, ENABLED_UIDONLY) &&
	    (s->by_uid || s->notify || enabled(s, ENABLED_FETCH_UID)))
		update_put_uid(out, m->uid);
	if (modseq)
		update_put_modseq(s, out, m->modseq);
	if (!silent) {
		buf_puts(out, "FLAGS ");
		update_put_message_flags(s, out, m);
		buf_putc(out, ' ');
	}
	out->data[out->len - 1] = ')';
	buf_puts(out, "\r\n");
}

static void put_keywords(struct session *s, struct buf *b)
{
	const char *keyword;
	unsigned i;

	for (i = 0; (keyword = mailbox_keyword(s->box, i)); i++)
		buf_printf(b, " %s", keyword);
	s->keywords = i;
}

/* By the client's rights (RFC 4314 section 5.1.1). */
static void put_permitted(struct session *s, struct buf *b)
{
	static const struct {
		unsigned right;
		const char *flags;
	} system[] = {
		{ ACL_WRITE, "\\Answered \\Flagged" },
		{ ACL_DELETE, "\\Deleted" },
		{ ACL_SEEN, "\\Seen" },
		{ ACL_WRITE, "\\Draft" },
	};
	const char *space = "";

	for (size_t i = 0; i < sizeof(system) / sizeof(*system); i++)
		if (rights_may(s, system[i].right)) {
			buf_printf(b, "%s%s", space, system[i].flags);
			space = " ";
		}
	if (!rights_may(s, ACL_WRITE))
		return;
	put_keywords(s, b);
	if (s->keywords < MAILBOX_KEYWORDS_MAX)
		buf_puts(b, " \\*");
}

void update_put_flags(struct session *s)
{
	struct buf *b = &s->out;

	buf_reset(b);
	buf_puts(b, "* FLAGS (" FLAGS_SYSTEM);
	put_keywords(s, b);
	buf_puts(b, ")\r\n* OK [PERMANENTFLAGS (");
	if (!s->read_only)
		put_permitted(s, b);
	buf_puts(b, s->read_only ? ")] Read-only mailbox.\r\n"
				 : ")] Flags permitted.\r\n");
	stream_put(s->c.io, b->data, b->len);
}

void update_keywords(struct session *s)
{
	if (mailbox_keyword(s->box, s->keywords))
		update_put_flags(s);
}

void update_put_gone(struct session *s, const uint32_t *seq,
		     const uint32_t *uid, size_t n)
{
	struct buf *b = &s->out;
	bool vanished = enabled(s, ENABLED_VANISHED);
	size_t i;

	if (n == 0)
		return;
	context_gone(s, seq, uid, n);
	buf_reset(b);
	for (i = 0; !vanished && i < n; i++) {
		buf_put(b, "* ", 2);
		buf_put_uint(b, seq[i]);
		buf_puts(b, " EXPUNGE\r\n");
	}
	if (vanished) {
		buf_puts(b, "* VANISHED ");
		set_put(b, uid, n);
		buf_puts(b, "\r\n");
	}
	s->told -= (uint32_t)n;
	stream_put(s->c.io, b->data, b->len);
}

void update_put_vanished(struct session *s, const struct set *uids)
{
	struct buf *b = &s->out;

	if (uids->n == 0)
		return;
	buf_reset(b);
	buf_puts(b, "* VANISHED (EARLIER) ");
	set_put_set(b, uids);
	buf_puts(b, "\r\n");
	stream_put(s->c.io, b->data, b->len);
}

static void put_flag_changes(struct session *s, const struct mailbox_changes *c)
{
	struct buf *b = &s->out;
	size_t i;

	buf_reset(b);
	for (i = 0; i < c->nflagged; i++) {
		struct mailbox_message m = mailbox_get(s->box, c->flagged[i]);

		update_put_fetch_flags(s, b, c->flagged[i], &m, false);
	}
	stream_put(s->c.io, b->data, b->len);
}

/* Those that the client did not want to know while they came. */
static void put_former_flag_changes(struct session *s)
{
	struct buf *b = &s->out;

	buf_reset(b);
	for (uint32_t seq = 1; seq <= s->told; seq++) {
		struct mailbox_message m = mailbox_get(s->box, seq);

		if (m.modseq > s->flags_since)
			update_put_fetch_flags(s, b, seq, &m, false);
	}
	s->flags_since = 0;
	stream_put(s->c.io, b->data, b->len);
}

/* REPORTED: what was before the refresh that found them. */
static void put_flags(struct session *s, const struct mailbox_changes *c,
		      uint64_t reported)
{
	if (!notify_wants(s, NOTIFY_FLAGS)) {
		if (c->nflagged > 0 && s->flags_since == 0)
			s->flags_since = reported > 0 ? reported : 1;
	} else if (s->flags_since > 0) {
		put_former_flag_changes(s);
	} else if (c->nflagged > 0) {
		put_flag_changes(s, c);
	}
}

/* Messages have come since there were KNOWN: what the client wants of them, but
 * not of those that it has added itself. */
static void put_new(struct session *s, uint32_t known)
{
	const struct fetch *f = notify_fetch(s);

	for (uint32_t seq = known + 1; f && seq <= s->told; seq++) {
		uint32_t uid = mailbox_uid(s->box, seq);

		if (uid < s->own_first || uid > s->own_last)
			fetch_put(s, f, seq);
	}
	s->own_first = s->own_last = 0;
}

static void put_counts(struct session *s)
{
	uint32_t count = mailbox_count(s->box);
	uint32_t recent = mailbox_recent(s->box);

	if (count != s->told)
		conn_put(&s->c, "* %u EXISTS", count);
	if (!enabled(s, ENABLED_REV2) &&
	    (count != s->told || recent != s->told_recent))
		conn_put(&s->c, "* %u RECENT", recent);
	s->told = count;
	s->told_recent = recent;
}

static int refresh(struct session *s, bool may_expunge,
		   const struct mailbox_changes **c)
{
	int code =
		s->lost ? ERR_CORRUPT : mailbox_refresh(s->box, may_expunge, c);

	if (code != ERR_CORRUPT && code != ERR_NOT_FOUND)
		return code;
	s->lost = true;
	return reopen(s, may_expunge) ? mailbox_refresh(s->box, may_expunge, c)
				      : code;
}

/* A client that wants to hear of nothing is told only what its own command has
 * done: its numbers hold for as long as it likes (RFC 5465 section 5). */
static void put_changes(struct session *s, bool may_expunge)
{
	const struct mailbox_changes *c;
	uint64_t reported;
	uint32_t known;

	if (s->dead)
		reopen_end(s, s->dead);
	if (!s->box || (!notify_wants(s, NOTIFY_EXPUNGE) && !s->removed))
		return;
	reported = mailbox_reported(s->box);
	if (refresh(s, may_expunge, &c) != ERR_OK)
		return;
	s->removed = false;
	update_put_gone(s, c->expunged, c->expunged_uid, c->nexpunged);
	update_keywords(s);
	known = s->told;
	put_counts(s);
	put_flags(s, c, reported);
	context_changed(s);
	put_new(s, known);
}

/* Does the client know another HIGHESTMODSEQ than all that it was told? Then
 * it is told the right one, which *MODSEQ gets. */
static bool must_tell(struct session *s, uint64_t *modseq)
{
	if (!s->box || !enabled(s, ENABLED_CONDSTORE) ||
	    s->flags_since > 0 || /* it does not know the folder so far */
	    (mailbox_reported(s->box) == s->modseq && !s->modseq_due))
		return false;
	s->modseq_due = false;
	*modseq = s->modseq = mailbox_reported(s->box);
	return true;
}

void update_send(struct session *s, bool may_expunge)
{
	uint64_t modseq;

	put_changes(s, may_expunge);
	metadata_watch_send(s);
	if (must_tell(s, &modseq))
		conn_put(&s->c, "* OK [HIGHESTMODSEQ %" PRIu64 "] Highest.",
			 modseq);
}

void update_reply_removed(struct session *s, const char *text)
{
	uint64_t modseq;

	put_changes(s, true);
	if (must_tell(s, &modseq))
		conn_reply(&s->c, "OK [HIGHESTMODSEQ %" PRIu64 "] %s", modseq,
			   text);
	else
		conn_reply(&s->c, "OK %s", text);
}
