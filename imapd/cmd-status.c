#include "imapd/status.h"

#include "base/err.h"
#include "base/str.h"
#include "imapd/commands.h"
#include "imapd/enabled.h"

static const char *const names[] = {
	[STATUS_MESSAGES] = "MESSAGES",
	[STATUS_RECENT] = "RECENT",
	[STATUS_UIDNEXT] = "UIDNEXT",
	[STATUS_UNSEEN] = "UNSEEN",
	[STATUS_UIDVALIDITY] = "UIDVALIDITY",
	[STATUS_SIZE] = "SIZE",
	[STATUS_DELETED] = "DELETED",
	[STATUS_DELETED_STORAGE] = "DELETED-STORAGE",
	[STATUS_MAILBOXID] = "MAILBOXID",
	[STATUS_APPENDLIMIT] = "APPENDLIMIT",
	[STATUS_HIGHESTMODSEQ] = "HIGHESTMODSEQ",
};

bool status_parse(const struct session *s, const struct arg *a, unsigned *items)
{
	unsigned gone = enabled(s, ENABLED_REV2) ? 1U << STATUS_RECENT : 0, i;

	*items = 0;
	if (a->type != ARG_LIST || a->list[0].type == ARG_END)
		return false;
	for (a = a->list; a->type != ARG_END; a++) {
		for (i = 0; i < STATUS_ITEMS; i++)
			if (arg_is(a, names[i]))
				break;
		if (i == STATUS_ITEMS || gone & 1U << i)
			return false;
		*items |= 1U << i;
	}
	return true;
}

/* How many messages have \Recent, if ON_DISK were not given to any session yet.
 * Those that this session has in the selected folder were given to it, unless
 * it is read-only. */
static uint32_t count_recent(const struct session *s, const char *name,
			     uint32_t on_disk)
{
	uint32_t ours;

	if (!s->box || !str_equal(name, s->name))
		return on_disk;
	ours = mailbox_recent(s->box);
	if (!s->read_only)
		return ours + on_disk;
	return ours > on_disk ? ours : on_disk;
}

static void put(struct session *s, const char *name, unsigned items,
		const struct store_status *st, uint64_t deleted, struct buf *b)
{
	const uint64_t value[STATUS_ITEMS] = {
		[STATUS_MESSAGES] = st->messages,
		[STATUS_RECENT] = count_recent(s, name, st->recent),
		[STATUS_UIDNEXT] = st->uidnext,
		[STATUS_UNSEEN] = st->unseen,
		[STATUS_UIDVALIDITY] = st->uidvalidity,
		[STATUS_SIZE] = st->size,
		[STATUS_DELETED] = st->deleted,
		[STATUS_DELETED_STORAGE] = deleted,
		[STATUS_HIGHESTMODSEQ] = st->highestmodseq,
		[STATUS_APPENDLIMIT] = (uint64_t)s->message_max,
	};
	const char *space = "";

	buf_puts(b, "* STATUS ");
	session_put_name(s, b, name);
	buf_puts(b, " (");
	for (unsigned i = 0; i < STATUS_ITEMS; i++) {
		if (!(items & 1U << i))
			continue;
		buf_printf(b, "%s%s ", space, names[i]);
		if (i == STATUS_MAILBOXID)
			buf_printf(b, MAILBOXID, st->uidvalidity);
		else
			buf_put_uint(b, value[i]);
		space = " ";
	}
	buf_puts(b, ")\r\n");
}

void status_put_values(struct session *s, const char *name, unsigned items,
		       const struct store_status *st, struct buf *b)
{
	put(s, name, items, st, 0, b);
}

int status_put(struct session *s, const char *name, unsigned items,
	       struct buf *b)
{
	struct store_status st;
	uint64_t deleted = 0;
	int code = store_status(s->store, name, items & 1U << STATUS_SIZE, &st);

	if (code == ERR_OK && st.deleted > 0 &&
	    items & 1U << STATUS_DELETED_STORAGE)
		code = store_deleted_size(s->store, name, &deleted);
	if (code != ERR_OK)
		return code;
	if (items & 1U << STATUS_HIGHESTMODSEQ)
		enable(s, ENABLED_CONDSTORE);
	put(s, name, items, &st, deleted, b);
	return ERR_OK;
}

void cmd_status(struct session *s)
{
	char name[FOLDER_NAME_SIZE];
	unsigned items;
	int code;

	if (!status_parse(s, &s->c.args[1], &items)) {
		conn_bad(&s->c, "Invalid status items.");
		return;
	}
	if (!session_name(s, &s->c.args[0], name))
		return;
	buf_reset(&s->out);
	code = status_put(s, name, items, &s->out);
	stream_put(s->c.io, s->out.data, s->out.len);
	if (code != ERR_OK)
		session_fail(s, code);
	else
		session_reply(s, "OK Status completed.");
}
