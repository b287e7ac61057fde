#include "imapd/reopen.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "imapd/update.h"
#include "log/log.h"

bool reopen_end(struct session *s, const char *why)
{
	log_warn("imap: user=%s, mailbox=%s: closed under the client: %s",
		 s->user, s->name, why);
	s->lost_why = why;
	s->ended = true;
	return false;
}

static bool has(const struct mailbox *m, uint32_t uid, uint32_t *seq)
{
	*seq = mailbox_find(m, uid);
	return *seq > 0;
}

/* How many messages of the open table are not in NEW. */
static uint32_t count_gone(const struct session *s, const struct mailbox *new)
{
	uint32_t n = 0, seq, there;

	for (seq = 1; seq <= mailbox_count(s->box); seq++)
		n += !has(new, mailbox_uid(s->box, seq), &there);
	return n;
}

/* Are the messages of NEW those that the client knows, except GONE of them,
 * followed by new ones? One that came back between them would shift the
 * numbers of others, which IMAP cannot express. */
static bool fits(const struct session *s, const struct mailbox *new,
		 uint32_t gone)
{
	uint32_t count = mailbox_count(s->box), last;

	if (mailbox_uidvalidity(new) != mailbox_uidvalidity(s->box))
		return false;
	if (count == 0)
		return true;
	last = mailbox_uid(s->box, count);
	return last < UINT32_MAX &&
	       mailbox_from(new, last + 1) - 1 == count - gone;
}

/* Tells of the GONE messages that are not in NEW. */
static void put_gone(struct session *s, const struct mailbox *new,
		     uint32_t gone)
{
	uint32_t *number = mem_array(gone + 1, sizeof(*number));
	uint32_t *uid = mem_array(gone + 1, sizeof(*uid));
	uint32_t seq, there, n = 0;

	for (seq = 1; n < gone && seq <= mailbox_count(s->box); seq++) {
		uid[n] = mailbox_uid(s->box, seq);
		number[n] = seq - n;
		n += !has(new, uid[n], &there);
	}
	update_put_gone(s, number, uid, n);
	free(number);
	free(uid);
}

static bool same_keyword(const struct mailbox *a, const struct mailbox *b,
			 unsigned i)
{
	const char *x = mailbox_keyword(a, i), *y = mailbox_keyword(b, i);

	return x && y ? str_equal(x, y) : x == y;
}

/* Bits of keywords that mean the same in both. */
static uint64_t same_keywords(const struct mailbox *a, const struct mailbox *b)
{
	uint64_t bits = 0;
	unsigned i;

	for (i = 0; i < MAILBOX_KEYWORDS_MAX; i++)
		if (same_keyword(a, b, i))
			bits |= (uint64_t)1 << i;
	return bits;
}

/* Tells of the flags that differ from those in OLD. */
static void put_flags(struct session *s, const struct mailbox *old)
{
	uint64_t same = same_keywords(old, s->box);
	struct buf *b = &s->out;
	uint32_t seq, before;

	buf_reset(b);
	for (seq = 1; seq <= mailbox_count(s->box); seq++) {
		struct mailbox_message now = mailbox_get(s->box, seq), was;

		if (!has(old, now.uid, &before))
			continue;
		was = mailbox_get(old, before);
		if (was.flags != now.flags || was.keywords != now.keywords ||
		    (now.keywords & ~same) != 0)
			update_put_fetch_flags(s, b, seq, &now, false);
	}
	stream_put(s->c.io, b->data, b->len);
	buf_reset(b);
}

static void swap(struct session *s, struct mailbox *new, uint32_t gone)
{
	struct mailbox *old = s->box;

	put_gone(s, new, gone);
	s->box = new;
	s->lost = false;
	s->body.uid = 0;
	buf_reset(&s->flags);
	update_put_flags(s);
	put_flags(s, old);
	mailbox_close(&old);
}

bool reopen(struct session *s, bool may_expunge)
{
	struct mailbox *new = NULL;
	uint32_t gone;
	int code;

	if (s->ended)
		return false;
	code = mailbox_open(s->store, s->name, s->read_only, &new);
	if (code == ERR_NOT_FOUND)
		return reopen_end(s, "deleted");
	if (code != ERR_OK) {
		session_failure(s, code);
		return false;
	}
	gone = count_gone(s, new);
	if (!fits(s, new, gone) || (gone > 0 && !may_expunge)) {
		bool never = !fits(s, new, gone);

		mailbox_close(&new);
		return never && reopen_end(s, "rebuilt");
	}
	log_info("imap: user=%s, mailbox=%s: opened again", s->user, s->name);
	swap(s, new, gone);
	return true;
}
