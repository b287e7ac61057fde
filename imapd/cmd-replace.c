/*
 * REPLACE (RFC 8508): a message is added, then another one is removed. The new
 * one is durable before the old one goes; if that one cannot be removed both
 * are there, and the client is told so.
 */
#include <string.h>

#include "base/err.h"
#include "imapd/commands.h"
#include "imapd/set.h"
#include "imapd/upload.h"

/* Notes how much room OLD leaves to the new one, if they count for the same. */
static bool note_freed(struct upload *u, uint32_t old)
{
	if (*u->s->quota.rules && !str_equal(u->s->name, u->name))
		return true;
	if (mailbox_size(u->s->box, old, &u->freed) != ERR_OK)
		u->freed = 0;
	return true;
}

/* The one message that the argument names. */
static bool find_old(struct session *s, const struct arg *a, uint32_t *seq)
{
	uint32_t *found;
	size_t n;

	if (a->type != ARG_ATOM || strpbrk(a->s, ",:$")) {
		conn_bad(&s->c, "One message is to be replaced.");
		return false;
	}
	if (!set_messages(s, a, &found, &n))
		return false;
	if (n == 1 && !mailbox_get(s->box, found[0]).gone) {
		*seq = found[0];
		return true;
	}
	session_reply(s, "NO [EXPUNGEISSUED] There is no such message.");
	return false;
}

static void replace(struct upload *u, uint32_t old)
{
	struct session *s = u->s;
	uint32_t uidvalidity, uid;
	struct folder_id folder;
	int code;

	if (!upload_commit(u, &uidvalidity, &uid, &folder)) {
		upload_fail(u);
		return;
	}
	session_added(s, folder, uid, uid);
	conn_put(&s->c, "* OK [APPENDUID %u %u] Added.", uidvalidity, uid);
	code = mailbox_expunge(s->box, &old, 1, false);
	if (code != ERR_OK) {
		session_fail(s, code);
		return;
	}
	session_changed(s, FEED_GONE);
	session_reply(s, "OK Replace completed.");
}

void cmd_replace(struct session *s)
{
	struct upload u;
	char name[FOLDER_NAME_SIZE];
	uint32_t old;

	if (!find_old(s, &s->c.args[0], &old) ||
	    !session_name(s, &s->c.args[1], name))
		return;
	if (upload_begin(&u, s, &s->c.args[2], name) && note_freed(&u, old) &&
	    upload_message(&u) &&
	    upload_is_over(&u))
		replace(&u, old);
	else
		upload_fail(&u);
	upload_end(&u);
}
