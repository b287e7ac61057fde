#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "imapd/commands.h"
#include "imapd/notify.h"
#include "imapd/rights.h"

/* A '/' at the end says that the client will create folders below it (RFC 3501
 * section 6.3.3): every folder here can have some. */
static bool name_of_new(struct session *s, const struct arg *a, char *name)
{
	size_t n;

	if (!session_name(s, a, name))
		return false;
	n = strlen(name);
	if (n > 1 && name[n - 1] == '/')
		name[n - 1] = '\0';
	return true;
}

/* "(USE (\Sent))": the special use of CREATE (RFC 6154 section 3). */
static bool special_use(struct session *s, const char **use)
{
	const struct arg *a = &s->c.args[1];

	*use = NULL;
	if (a->type == ARG_END)
		return true;
	if (a->type == ARG_LIST && arg_is(&a->list[0], "USE") &&
	    a->list[1].type == ARG_LIST &&
	    a->list[1].list[0].type == ARG_ATOM &&
	    a->list[1].list[1].type == ARG_END) {
		*use = a->list[1].list[0].s;
		return true;
	}
	conn_bad(&s->c, "Invalid parameters.");
	return false;
}

static void created(struct session *s, const char *name)
{
	struct store_status st;

	notify_own_names(s, name, NULL);
	list_put_oldname(s, name, s->supplied);
	/* another may have deleted it since */
	if (store_status(s->store, name, false, &st) == ERR_OK)
		session_reply(s, "OK [MAILBOXID " MAILBOXID "] Created.",
			      st.uidvalidity);
	else
		session_reply(s, "OK Create completed.");
}

void cmd_create(struct session *s)
{
	char name[FOLDER_NAME_SIZE];
	const char *use;
	int code;

	if (!name_of_new(s, &s->c.args[0], name) || !special_use(s, &use))
		return;
	if (s->visitor && use) {
		session_reply(s, "NO [USEATTR] Not in folders of others.");
		return;
	}
	code = store_create(s->store, name, use);
	if (code == ERR_UNSUPPORTED)
		session_reply(s, "NO [USEATTR] Unknown special use.");
	else if (code != ERR_OK)
		session_fail(s, code);
	else
		created(s, name);
}

static void deleted(struct session *s, const char *name)
{
	list_put_oldname(s, name, s->supplied);
	session_reply(s, "OK Delete completed.");
}

void cmd_delete(struct session *s)
{
	char name[FOLDER_NAME_SIZE];
	struct metadata acl = { 0 };
	int code;

	if (!session_name(s, &s->c.args[0], name))
		return;
	err_ignore(acl_read(s->store, name, &acl)); /* it need not be known */
	code = store_delete(s->store, name);
	if (code == ERR_OK)
		acl_forget(s, &acl);
	metadata_free(&acl);
	/* Deleting the selected folder leaves nothing selected. */
	if (code == ERR_OK && s->box && str_equal(s->name, name))
		session_deselect(s);
	if (code == ERR_OK)
		notify_own_names(s, name, NULL);
	if (code == ERR_DENIED && strcmp(name, "INBOX") == 0)
		session_reply(s, "NO [CANNOT] INBOX stays.");
	else if (code != ERR_OK)
		session_fail(s, code);
	else
		deleted(s, name);
}

/* INBOX stays, only its messages have moved. */
static void renamed(struct session *s, const char *from, const char *to)
{
	if (!str_equal(from, "INBOX"))
		list_put_oldname(s, to, s->c.args[0].s);
	session_reply(s, "OK Rename completed.");
}

void cmd_rename(struct session *s)
{
	char from[FOLDER_NAME_SIZE], to[FOLDER_NAME_SIZE];
	int code;

	if (!session_name(s, &s->c.args[0], from) ||
	    !name_of_new(s, &s->c.args[1], to))
		return;
	/* INBOX would stay, and lose its messages */
	code = s->visitor && str_equal(from, "INBOX")
		       ? ERR_DENIED
		       : store_rename(s->store, from, to);
	if (code == ERR_OK)
		notify_own_names(s, from, to);
	if (code == ERR_UNSUPPORTED)
		session_reply(s, "NO [CANNOT] A mailbox cannot be moved below "
				 "itself.");
	else if (code != ERR_OK)
		session_fail(s, code);
	else
		renamed(s, from, to);
}

static void subscribe(struct session *s, bool on)
{
	char name[FOLDER_NAME_SIZE];
	int code;

	if (!name_of_new(s, &s->c.args[0], name))
		return;
	code = store_subscribe(s->store, name, on);
	if (code == ERR_OK)
		notify_own_names(s, name, NULL);
	if (code != ERR_OK && (on || code != ERR_NOT_FOUND))
		session_fail(s, code);
	else
		session_reply(s, "OK %s completed.",
			      on ? "Subscribe" : "Unsubscribe");
}

void cmd_subscribe(struct session *s)
{
	subscribe(s, true);
}

void cmd_unsubscribe(struct session *s)
{
	subscribe(s, false);
}
