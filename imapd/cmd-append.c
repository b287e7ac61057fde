/* APPEND: all of its messages are added, or none (upload.h). */
#include "base/err.h"
#include "imapd/commands.h"
#include "imapd/rights.h"
#include "imapd/upload.h"

static void commit(struct upload *u, const char *name)
{
	struct session *s = u->s;
	uint32_t uidvalidity, first, last;
	struct folder_id folder;

	/* the literals may have taken long to come */
	if (!rights_have(s, name, ACL_INSERT))
		return;
	if (!upload_commit(u, &uidvalidity, &first, &folder)) {
		upload_fail(u);
		return;
	}
	last = first + (uint32_t)u->count - 1;
	session_added(s, folder, first, last);
	list_put_oldname(s, name, s->supplied);
	if (first == last)
		session_reply(s, "OK [APPENDUID %u %u] Append completed.",
			      uidvalidity, first);
	else
		session_reply(s, "OK [APPENDUID %u %u:%u] Append completed.",
			      uidvalidity, first, last);
}

static bool take_all(struct upload *u)
{
	do {
		if (!upload_message(u))
			return false;
	} while (!upload_is_over(u));
	return true;
}

void cmd_append(struct session *s)
{
	struct upload u;
	char name[FOLDER_NAME_SIZE];

	if (!session_name(s, &s->c.args[0], name))
		return;
	if (upload_begin(&u, s, &s->c.args[1], name) && take_all(&u))
		commit(&u, name);
	else
		upload_fail(&u);
	upload_end(&u);
}
