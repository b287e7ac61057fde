#include "base/err.h"
#include "imapd/commands.h"
#include "imapd/set.h"
#include "imapd/update.h"

size_t expunge_candidates(struct session *s, uint32_t **seq)
{
	uint32_t count = mailbox_count(s->box), i;
	size_t n = 0;

	*seq = arena_alloc(s->c.arena, ((size_t)count + 1) * sizeof(**seq));
	for (i = 1; i <= count; i++)
		if (mailbox_get(s->box, i).flags & MAILBOX_DELETED)
			(*seq)[n++] = i;
	return n;
}

static void expunge(struct session *s, const uint32_t *seq, size_t n)
{
	int code = n ? mailbox_expunge(s->box, seq, n, true) : ERR_OK;

	if (code != ERR_OK) {
		session_fail(s, code);
		return;
	}
	if (n > 0)
		session_changed(s, FEED_GONE);
	update_reply_removed(s, "Expunge completed.");
}

void cmd_expunge(struct session *s)
{
	uint32_t *seq;
	size_t n = expunge_candidates(s, &seq);

	expunge(s, seq, n);
}

/* RFC 4315 section 2.1. */
void cmd_uid_expunge(struct session *s)
{
	uint32_t *seq;
	size_t n;

	if (set_messages(s, &s->c.args[0], &seq, &n))
		expunge(s, seq, n);
}
