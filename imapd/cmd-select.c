#include <inttypes.h>

#include "base/err.h"
#include "base/str.h"
#include "imapd/commands.h"
#include "imapd/enabled.h"
#include "imapd/notify.h"
#include "imapd/resync.h"
#include "imapd/rights.h"
#include "imapd/update.h"
#include "log/log.h"

/* Without any of these a folder can only be read. */
#define WRITING (ACL_INSERT | ACL_EXPUNGE | ACL_SEEN | ACL_WRITE | ACL_DELETE)

/* What IMAP4rev2 does without; UNSEEN is a message's number. */
static void put_rev1(struct session *s)
{
	uint32_t unseen = enabled(s, ENABLED_UIDONLY)
				  ? 0
				  : mailbox_first_unseen(s->box);

	conn_put(&s->c, "* %u RECENT", s->told_recent);
	if (unseen > 0)
		conn_put(&s->c, "* OK [UNSEEN %u] First unseen.", unseen);
}

static void describe(struct session *s)
{
	update_put_flags(s);
	s->told = mailbox_count(s->box);
	s->told_recent = mailbox_recent(s->box);
	conn_put(&s->c, "* %u EXISTS", s->told);
	if (!enabled(s, ENABLED_REV2))
		put_rev1(s);
	conn_put(&s->c, "* OK [UIDVALIDITY %u] UIDs valid.",
		 mailbox_uidvalidity(s->box));
	conn_put(&s->c, "* OK [MAILBOXID " MAILBOXID "] The mailbox's id.",
		 mailbox_uidvalidity(s->box));
	conn_put(&s->c, "* OK [UIDNEXT %u] Predicted next UID.",
		 mailbox_uidnext(s->box));
	s->modseq = mailbox_reported(s->box);
	s->modseq_due = false;
	conn_put(&s->c, "* OK [HIGHESTMODSEQ %" PRIu64 "] Highest.", s->modseq);
}

/* A failed SELECT leaves nothing selected (RFC 3501 section 6.3.1). */
static void open_folder(struct session *s, bool read_only)
{
	char name[FOLDER_NAME_SIZE];
	struct resync r;
	int code;

	if (!arg_astring(&s->c.args[0])) {
		conn_bad(&s->c, "A mailbox name is missing.");
		return;
	}
	if (!resync_parse(s, &s->c.args[1], &r))
		return;
	if (s->box || s->dead)
		conn_put(&s->c, "* OK [CLOSED] Previous mailbox closed.");
	session_deselect(s);
	if (!session_name(s, &s->c.args[0], name))
		return;
	if (!rights_have(s, name, ACL_READ))
		return;
	code = rights_find(s, name, &s->rights);
	/* RFC 4314 section 5.2 */
	read_only |= !(s->rights & WRITING);
	if (code == ERR_OK)
		code = mailbox_open(s->store, name, read_only, &s->box);
	if (code != ERR_OK)
		s->box = NULL;
	else
		code = list_put_folder(s, name, s->supplied);
	if (code != ERR_OK) {
		session_deselect(s);
		session_fail(s, code);
		return;
	}
	s->read_only = read_only;
	str_copy(s->name, sizeof(s->name), name);
	notify_selected(s);
	describe(s);
	resync_put(s, &r);
	conn_reply(&s->c, "OK [READ-%s] %s completed.",
		   read_only ? "ONLY" : "WRITE",
		   s->command->act == cmd_examine ? "EXAMINE" : "SELECT");
}

void cmd_select(struct session *s)
{
	open_folder(s, false);
}

void cmd_examine(struct session *s)
{
	open_folder(s, true);
}

void cmd_unselect(struct session *s)
{
	session_deselect(s);
	conn_reply(&s->c, "OK Unselect completed.");
}

/* Removes what has \Deleted, without EXPUNGE (RFC 3501 section 6.4.2). */
void cmd_close(struct session *s)
{
	uint32_t *seq;
	size_t n;
	bool early;
	int code = ERR_OK;

	if (!s->read_only && rights_may(s, ACL_EXPUNGE)) {
		n = expunge_candidates(s, &seq);
		if (n > 0)
			code = mailbox_expunge(s->box, seq, n, true);
		if (n > 0 && code == ERR_OK)
			session_changed(s, FEED_GONE);
	}
	if (code != ERR_OK) {
		session_fail(s, code);
		return;
	}
	/* what is expunged is gone; its files may take a while */
	early = mailbox_is_removing(s->box);
	if (early) {
		conn_reply(&s->c, "OK Close completed.");
		err_ignore(stream_flush(s->c.io)); /* the next one tells */
	}
	session_deselect(s);
	if (!early)
		conn_reply(&s->c, "OK Close completed.");
}
