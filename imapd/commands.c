#include "imapd/commands.h"

#include "base/str.h"
#include "imapd/enabled.h"
#include "imapd/others.h"
#include "imapd/reopen.h"
#include "imapd/rights.h"
#include "imapd/set.h"

#define ANY 1000000

#define SELECTED COMMAND_SELECTED
#define WRITES (COMMAND_SELECTED | COMMAND_WRITES)
#define UID COMMAND_UID
#define ONLY_UID (COMMAND_UID | COMMAND_ONLY_UID)
#define NO_EXPUNGE COMMAND_NO_EXPUNGE
#define REV1 COMMAND_REV1
#define NUMBERS (COMMAND_SELECTED | COMMAND_UID | COMMAND_NUMBERS)

#define REMOVE (ACL_DELETE | ACL_EXPUNGE) /* RFC 6851 section 4.3 */

/* clang-format off */
static const struct command commands[] = {
	{ "APPEND", cmd_append, 0, 1, ANY, PLACE_NAMED, ACL_INSERT, 0 },
	{ "CANCELUPDATE", cmd_cancelupdate, SELECTED, 1, ANY, PLACE_SELECTED, 0, 0 },
	{ "CAPABILITY", cmd_capability, 0, 0, 0, PLACE_HERE, 0, 0 },
	{ "CHECK", cmd_noop, SELECTED | REV1, 0, 0, PLACE_SELECTED, 0, 0 },
	{ "CHOOSE", cmd_choose, COMMAND_VISIT | SELECTED | UID, 1, 1, PLACE_ALL, 0, 0 },
	{ "CLOSE", cmd_close, SELECTED, 0, 0, PLACE_SELECTED, 0, 0 },
	{ "COMPRESS", cmd_compress, 0, 1, 1, PLACE_HERE, 0, 0 },
	{ "COPY", cmd_copy, NUMBERS, 2, 2, PLACE_TARGET, ACL_INSERT, 0 },
	{ "CREATE", cmd_create, 0, 1, 2, PLACE_NEW, ACL_CREATE, 0 },
	{ "DELETE", cmd_delete, 0, 1, 1, PLACE_NAMED, ACL_DELETE_FOLDER, 0 },
	{ "DELETEACL", cmd_deleteacl, 0, 2, 2, PLACE_NAMED, ACL_ADMIN, 0 },
	{ "ENABLE", cmd_enable, 0, 1, ANY, PLACE_ALL, 0, 0 },
	{ "ESEARCH", cmd_esearch, UID | NO_EXPUNGE, 1, ANY, PLACE_ALL, 0, 0 },
	{ "EXAMINE", cmd_examine, 0, 1, 2, PLACE_OPENED, 0, 0 },
	{ "EXPUNGE", cmd_expunge, WRITES, 0, 0, PLACE_SELECTED, 0, ACL_EXPUNGE },
	{ "EXPUNGE", cmd_uid_expunge, WRITES | ONLY_UID, 1, 1, PLACE_SELECTED, 0, ACL_EXPUNGE },
	{ "FETCH", cmd_fetch, NUMBERS | NO_EXPUNGE, 2, ANY, PLACE_SELECTED, 0, 0 },
	{ "GETACL", cmd_getacl, 0, 1, 1, PLACE_NAMED, ACL_ADMIN, 0 },
	{ "GETMETADATA", cmd_getmetadata, 0, 2, ANY, PLACE_NAMED, RIGHTS_ANNOTATE, 0 },
	{ "GETQUOTA", cmd_getquota, 0, 1, 1, PLACE_HERE, 0, 0 },
	{ "GETQUOTAROOT", cmd_getquotaroot, 0, 1, 1, PLACE_NAMED, ACL_READ, 0 },
	{ "ID", cmd_id, 0, 1, ANY, PLACE_HERE, 0, 0 },
	{ "IDLE", cmd_idle, 0, 0, 0, PLACE_ALL, 0, 0 },
	{ "LIST", cmd_list, 0, 2, ANY, PLACE_ALL, 0, 0 },
	{ "LISTRIGHTS", cmd_listrights, 0, 2, 2, PLACE_NAMED, ACL_ADMIN, 0 },
	{ "LOGOUT", cmd_logout, 0, 0, 0, PLACE_HERE, 0, 0 },
	{ "LSUB", cmd_lsub, REV1, 2, 2, PLACE_ALL, 0, 0 },
	{ "MOVE", cmd_move, WRITES | NUMBERS, 2, 2, PLACE_TARGET, ACL_INSERT, REMOVE },
	{ "MYRIGHTS", cmd_myrights, 0, 1, 1, PLACE_NAMED, RIGHTS_ANY, 0 },
	{ "NAMESPACE", cmd_namespace, 0, 0, 0, PLACE_HERE, 0, 0 },
	{ "NOOP", cmd_noop, 0, 0, 0, PLACE_SELECTED, 0, 0 },
	{ "NOTIFY", cmd_notify, 0, 1, ANY, PLACE_ALL, 0, 0 },
	{ "REMOVABLE", cmd_noop, COMMAND_VISIT | WRITES, 0, 0, PLACE_ALL, 0, REMOVE },
	{ "RENAME", cmd_rename, 0, 2, 2, PLACE_RENAMED, 0, 0 },
	{ "REPLACE", cmd_replace, WRITES | NUMBERS, 2, ANY, PLACE_TARGET, ACL_INSERT, REMOVE },
	{ "SEARCH", cmd_search, NUMBERS | NO_EXPUNGE, 1, ANY, PLACE_SELECTED, 0, 0 },
	{ "SELECT", cmd_select, 0, 1, 2, PLACE_OPENED, 0, 0 },
	{ "SETACL", cmd_setacl, 0, 3, 3, PLACE_NAMED, ACL_ADMIN, 0 },
	{ "SETMETADATA", cmd_setmetadata, 0, 2, 2, PLACE_NAMED, RIGHTS_ANNOTATE, 0 },
	{ "SETQUOTA", cmd_setquota, 0, 2, 2, PLACE_HERE, 0, 0 },
	{ "SORT", cmd_sort, NUMBERS | NO_EXPUNGE, 3, ANY, PLACE_SELECTED, 0, 0 },
	{ "STATUS", cmd_status, 0, 2, 2, PLACE_NAMED, ACL_READ, 0 },
	{ "STORE", cmd_store, WRITES | NUMBERS | NO_EXPUNGE, 3, ANY, PLACE_SELECTED, 0, 0 },
	{ "SUBSCRIBE", cmd_subscribe, 0, 1, 1, PLACE_HERE, 0, 0 },
	{ "SUBSCRIBED", cmd_subscribed, COMMAND_VISIT, 0, ANY, PLACE_ALL, 0, 0 },
	{ "THREAD", cmd_thread, NUMBERS | NO_EXPUNGE, 3, ANY, PLACE_SELECTED, 0, 0 },
	{ "UIDBATCHES", cmd_uidbatches, SELECTED, 1, 2, PLACE_SELECTED, 0, 0 },
	{ "UNSELECT", cmd_unselect, SELECTED, 0, 0, PLACE_SELECTED, 0, 0 },
	{ "UNSUBSCRIBE", cmd_unsubscribe, 0, 1, 1, PLACE_HERE, 0, 0 },
};
/* clang-format on */

static const struct command *find(const struct session *s, const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		const struct command *c = &commands[i];

		if (str_equal_ci(c->name, name) &&
		    (s->by_uid ? c->flags & COMMAND_UID
			       : !(c->flags & COMMAND_ONLY_UID)) &&
		    !(c->flags & COMMAND_REV1 && enabled(s, ENABLED_REV2)) &&
		    !(c->flags & COMMAND_VISIT && !s->visitor))
			return c;
	}
	return NULL;
}

static void check_and_run(struct session *s)
{
	size_t n = args_count(s->c.args);

	if (s->command->flags & COMMAND_NUMBERS && !s->by_uid &&
	    enabled(s, ENABLED_UIDONLY))
		conn_bad(&s->c, UIDREQUIRED);
	else if (n < s->command->min || n > s->command->max)
		conn_bad(&s->c, "Wrong number of arguments.");
	else if (others_run(s))
		; /* that session has answered */
	else if (s->command->flags & COMMAND_SELECTED && s->dead)
		session_reply(s, "NO [UNAVAILABLE] The mailbox was %s.",
			      s->dead);
	else if (s->command->flags & COMMAND_SELECTED && !s->box)
		conn_bad(&s->c, "No mailbox is selected.");
	else if (s->command->flags & COMMAND_WRITES && s->read_only)
		conn_reply(&s->c, "NO [READ-ONLY] The mailbox was opened for "
				  "reading only.");
	else if (s->command->flags & COMMAND_SELECTED && s->lost &&
		 !reopen(s, s->by_uid || n == 0))
		conn_reply(&s->c, "NO [UNAVAILABLE] The mailbox was rebuilt "
				  "meanwhile: send NOOP.");
	else if (rights_check(s))
		s->command->act(s);
}

void command_run(struct session *s)
{
	s->by_uid = str_equal_ci(s->c.name, "UID");
	if (s->by_uid) {
		if (s->c.args[0].type != ARG_ATOM) {
			conn_bad(&s->c, "UID takes a command.");
			return;
		}
		s->c.name = s->c.args[0].s;
		s->c.args++;
	}
	s->command = find(s, s->c.name);
	if (!s->command)
		conn_bad(&s->c, "Unknown command.");
	else
		check_and_run(s);
	if (s->c.literal && !s->c.answered && !s->ended)
		conn_bad(&s->c, "Unexpected literal.");
}
