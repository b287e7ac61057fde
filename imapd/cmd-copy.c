#include <string.h>

#include "base/err.h"
#include "imapd/commands.h"
#include "imapd/quota.h"
#include "imapd/rights.h"
#include "imapd/set.h"
#include "imapd/update.h"

/* "[COPYUID validity from to] " (RFC 4315 section 3), the two sets in the
 * order in which the messages were copied. */
static void put_copyuid(struct session *s, struct buf *out,
			uint32_t uidvalidity, const uint32_t *seq,
			const uint32_t *uid, size_t n)
{
	uint32_t *from = arena_alloc(s->c.arena, n * sizeof(*from));
	uint32_t *to = arena_alloc(s->c.arena, n * sizeof(*to));
	size_t i, moved = 0;

	for (i = 0; i < n; i++) {
		if (uid[i] == 0)
			continue; /* another session was first */
		from[moved] = mailbox_uid(s->box, seq[i]);
		to[moved++] = uid[i];
	}
	buf_printf(out, "[COPYUID %u ", uidvalidity);
	set_put(out, from, moved);
	buf_putc(out, ' ');
	set_put(out, to, moved);
	buf_puts(out, "] ");
}

static void fail(struct session *s, int code, uint32_t uidvalidity)
{
	if (code == ERR_NOT_FOUND && uidvalidity == 0)
		session_reply(s, "NO [TRYCREATE] No such mailbox.");
	else if (code == ERR_NOT_FOUND)
		session_reply(s, "NO [EXPUNGEISSUED] Some messages are gone: "
				 "nothing was copied.");
	else
		session_fail(s, code);
}

/* RFC 6851 section 4.3: COPYUID comes before the EXPUNGEs. */
static void report(struct session *s, bool move, const char *copyuid)
{
	if (move) {
		conn_put(&s->c, "* OK %sMoved.", copyuid);
		update_reply_removed(s, "Move completed.");
	} else {
		session_reply(s, "OK %sCopy completed.", copyuid);
	}
}

/* The highest, and so the last that is not 0. */
static uint32_t last_of(const uint32_t *uid, size_t n)
{
	while (n > 1 && uid[n - 1] == 0)
		n--;
	return uid[n - 1];
}

static uint32_t first_of(const uint32_t *uid, size_t n)
{
	size_t i = 0;

	while (i + 1 < n && uid[i] == 0)
		i++;
	return uid[i];
}

/* Copies have the flags to which the client has a right there. */
static int keep_flags(struct session *s, const char *name)
{
	unsigned rights;
	int code = rights_find(s, name, &rights);

	mailbox_keep_flags(s->box, rights_flags(rights), rights & ACL_WRITE);
	return code;
}

static void copy(struct session *s, bool move)
{
	uint32_t *seq, *uid, uidvalidity = 0;
	char name[FOLDER_NAME_SIZE];
	struct buf copyuid;
	size_t n;
	struct folder_id to;
	int code;

	if (!set_messages(s, &s->c.args[0], &seq, &n) ||
	    !session_name(s, &s->c.args[1], name))
		return;
	if (n == 0) {
		session_reply(s, "OK No messages found.");
		return;
	}
	if (!quota_may_copy(s, seq, n, name, move))
		return;
	code = keep_flags(s, name);
	uid = arena_alloc(s->c.arena, n * sizeof(*uid));
	if (code == ERR_OK)
		code = mailbox_copy(s->box, seq, n, name, move, uid,
				    &uidvalidity, &to);
	quota_release(s);
	if (code != ERR_OK) {
		fail(s, code, uidvalidity);
		return;
	}
	session_added(s, to, first_of(uid, n), last_of(uid, n));
	if (move)
		session_changed(s, FEED_GONE);
	buf_init(&copyuid, 64 << 20);
	put_copyuid(s, &copyuid, uidvalidity, seq, uid, n);
	report(s, move, copyuid.data);
	buf_free(&copyuid);
}

/* Which messages a COPY would copy: "* CHOSEN [uids]". */
void cmd_choose(struct session *s)
{
	uint32_t *seq, *uid;
	size_t n, i = 0;

	if (!set_messages(s, &s->c.args[0], &seq, &n))
		return;
	uid = arena_alloc(s->c.arena, (n + 1) * sizeof(*uid));
	for (; i < n && !mailbox_get(s->box, seq[i]).gone; i++)
		uid[i] = mailbox_uid(s->box, seq[i]);
	if (i < n) {
		fail(s, ERR_NOT_FOUND, mailbox_uidvalidity(s->box));
		return;
	}
	buf_reset(&s->out);
	buf_puts(&s->out, "* CHOSEN");
	if (n > 0) {
		buf_putc(&s->out, ' ');
		set_put(&s->out, uid, n);
	}
	buf_puts(&s->out, "\r\n");
	stream_put(s->c.io, s->out.data, s->out.len);
	session_reply(s, "OK Chosen.");
}

void cmd_copy(struct session *s)
{
	copy(s, false);
}

void cmd_move(struct session *s)
{
	copy(s, true);
}
