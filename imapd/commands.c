#include "imapd/commands.h"

#include "base/str.h"
#include "imapd/enabled.h"
#include "imapd/reopen.h"

#define ANY 1000000

#define SELECTED COMMAND_SELECTED
#define WRITES (COMMAND_SELECTED | COMMAND_WRITES)
#define UID COMMAND_UID
#define ONLY_UID (COMMAND_UID | COMMAND_ONLY_UID)
#define NO_EXPUNGE COMMAND_NO_EXPUNGE
#define REV1 COMMAND_REV1

/* clang-format off */
static const struct command commands[] = {
	{ "APPEND", cmd_append, 0, 1, ANY },
	{ "CANCELUPDATE", cmd_cancelupdate, SELECTED, 1, ANY },
	{ "CAPABILITY", cmd_capability, 0, 0, 0 },
	{ "CHECK", cmd_noop, SELECTED | REV1, 0, 0 },
	{ "CLOSE", cmd_close, SELECTED, 0, 0 },
	{ "COMPRESS", cmd_compress, 0, 1, 1 },
	{ "COPY", cmd_copy, SELECTED | UID, 2, 2 },
	{ "CREATE", cmd_create, 0, 1, 2 },
	{ "DELETE", cmd_delete, 0, 1, 1 },
	{ "ENABLE", cmd_enable, 0, 1, ANY },
	{ "ESEARCH", cmd_esearch, UID | NO_EXPUNGE, 1, ANY },
	{ "EXAMINE", cmd_examine, 0, 1, 2 },
	{ "EXPUNGE", cmd_expunge, WRITES, 0, 0 },
	{ "EXPUNGE", cmd_uid_expunge, WRITES | ONLY_UID, 1, 1 },
	{ "FETCH", cmd_fetch, SELECTED | UID | NO_EXPUNGE, 2, ANY },
	{ "GETMETADATA", cmd_getmetadata, 0, 2, ANY },
	{ "GETQUOTA", cmd_getquota, 0, 1, 1 },
	{ "GETQUOTAROOT", cmd_getquotaroot, 0, 1, 1 },
	{ "ID", cmd_id, 0, 1, ANY },
	{ "IDLE", cmd_idle, 0, 0, 0 },
	{ "LIST", cmd_list, 0, 2, ANY },
	{ "LOGOUT", cmd_logout, 0, 0, 0 },
	{ "LSUB", cmd_lsub, REV1, 2, 2 },
	{ "MOVE", cmd_move, WRITES | UID, 2, 2 },
	{ "NAMESPACE", cmd_namespace, 0, 0, 0 },
	{ "NOOP", cmd_noop, 0, 0, 0 },
	{ "NOTIFY", cmd_notify, 0, 1, ANY },
	{ "RENAME", cmd_rename, 0, 2, 2 },
	{ "REPLACE", cmd_replace, WRITES | UID, 2, ANY },
	{ "SEARCH", cmd_search, SELECTED | UID | NO_EXPUNGE, 1, ANY },
	{ "SELECT", cmd_select, 0, 1, 2 },
	{ "SETMETADATA", cmd_setmetadata, 0, 2, 2 },
	{ "SETQUOTA", cmd_setquota, 0, 2, 2 },
	{ "SORT", cmd_sort, SELECTED | UID | NO_EXPUNGE, 3, ANY },
	{ "STATUS", cmd_status, 0, 2, 2 },
	{ "STORE", cmd_store, WRITES | UID | NO_EXPUNGE, 3, ANY },
	{ "SUBSCRIBE", cmd_subscribe, 0, 1, 1 },
	{ "THREAD", cmd_thread, SELECTED | UID | NO_EXPUNGE, 3, ANY },
	{ "UIDBATCHES", cmd_uidbatches, SELECTED, 1, 2 },
	{ "UNSELECT", cmd_unselect, SELECTED, 0, 0 },
	{ "UNSUBSCRIBE", cmd_unsubscribe, 0, 1, 1 },
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
		    !(c->flags & COMMAND_REV1 && enabled(s, ENABLED_REV2)))
			return c;
	}
	return NULL;
}

static void check_and_run(struct session *s)
{
	size_t n = args_count(s->c.args);

	if (n < s->command->min || n > s->command->max)
		conn_bad(&s->c, "Wrong number of arguments.");
	else if (s->command->flags & COMMAND_SELECTED && !s->box)
		conn_bad(&s->c, "No mailbox is selected.");
	else if (s->command->flags & COMMAND_WRITES && s->read_only)
		conn_reply(&s->c, "NO [READ-ONLY] The mailbox was opened for "
				  "reading only.");
	else if (s->command->flags & COMMAND_SELECTED && s->lost &&
		 !reopen(s, s->by_uid || n == 0))
		conn_reply(&s->c, "NO [UNAVAILABLE] The mailbox was rebuilt "
				  "meanwhile: send NOOP.");
	else
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
	if (s->c.literal && !s->c.answered)
		conn_bad(&s->c, "Unexpected literal.");
}
