#include "imapd/rights.h"

#include "base/err.h"
#include "imapd/commands.h"
#include "imapd/reopen.h"
#include "imapd/update.h"

int rights_find(struct session *s, const char *name, unsigned *rights)
{
	*rights = ACL_ALL;
	return s->visitor ? acl_rights_in(s->store, name, s->visitor, rights)
			  : ERR_OK;
}

bool rights_may(const struct session *s, unsigned right)
{
	return s->rights & right;
}

unsigned rights_flags(unsigned rights)
{
	unsigned flags = 0;

	if (rights & ACL_SEEN)
		flags |= MAILBOX_SEEN;
	if (rights & ACL_DELETE)
		flags |= MAILBOX_DELETED;
	if (rights & ACL_WRITE)
		flags |= ~(unsigned)(MAILBOX_SEEN | MAILBOX_DELETED);
	return flags;
}

static bool suffice(unsigned have, unsigned need)
{
	if (need & RIGHTS_ANY && !(have & ACL_KNOWS))
		return false;
	if (need & RIGHTS_ANNOTATE &&
	    !(have & ACL_LOOKUP &&
	      have & (ACL_READ | ACL_SEEN | ACL_WRITE | ACL_INSERT | ACL_POST)))
		return false;
	need &= ACL_ALL;
	return (have & need) == need;
}

/* As for a folder that is not there, if the client may know nothing of it. */
static bool refuse(struct session *s, unsigned have, unsigned need)
{
	if (have & ACL_KNOWS)
		session_reply(s, "NO [NOPERM] You may not do that here.");
	else if (need & ACL_INSERT)
		session_reply(s, "NO [TRYCREATE] No such mailbox.");
	else
		session_fail(s, ERR_NOT_FOUND);
	return false;
}

bool rights_have(struct session *s, const char *name, unsigned need)
{
	unsigned have;
	int code = rights_find(s, name, &have);

	if (code == ERR_NOT_FOUND || code == ERR_SYNTAX || code == ERR_TOO_LONG)
		return refuse(s, 0, need);
	if (code) {
		session_fail(s, code);
		return false;
	}
	return suffice(have, need) || refuse(s, have, need);
}

/* Of the folder that the argument names. */
static bool check_name(struct session *s, const struct arg *a, unsigned need)
{
	char name[FOLDER_NAME_SIZE];

	return session_name(s, a, name) && rights_have(s, name, need);
}

/* Of the one that a new folder of this name would be in. One of which the
 * client may know nothing is refused as any other, also none: the answer must
 * not tell whether there is one. */
static bool check_above(struct session *s, const struct arg *a, unsigned need)
{
	char name[FOLDER_NAME_SIZE], above[FOLDER_NAME_SIZE];
	unsigned have = 0;
	int code = ERR_OK;

	if (!session_name(s, a, name))
		return false;
	if (acl_parent(s->store, name, above))
		code = rights_find(s, above, &have);
	if (code && code != ERR_NOT_FOUND) {
		session_fail(s, code);
		return false;
	}
	return suffice(have, need) || refuse(s, have | ACL_LOOKUP, need);
}

const struct arg *command_name(const struct session *s)
{
	const struct arg *a = s->c.args;

	switch (s->command->place) {
	case PLACE_NAMED:
	case PLACE_NEW:
	case PLACE_RENAMED:
	case PLACE_OPENED:
		return a->type == ARG_LIST ? a + 1 : a;
	case PLACE_TARGET:
		return a + 1;
	default:
		return NULL;
	}
}

static bool check_names(struct session *s)
{
	const struct command *c = s->command;

	switch (c->place) {
	case PLACE_NAMED:
	case PLACE_TARGET:
		return check_name(s, command_name(s), c->named);
	case PLACE_NEW:
		return check_above(s, command_name(s), c->named);
	case PLACE_RENAMED:
		return check_name(s, &s->c.args[0], ACL_DELETE_FOLDER) &&
		       check_above(s, &s->c.args[1], ACL_CREATE);
	case PLACE_HERE:
		conn_bad(&s->c, "Not in a visit.");
		return false;
	default:
		return true;
	}
}

bool rights_still_read(struct session *s)
{
	unsigned rights;

	if (!s->box || !s->visitor)
		return true;
	if (rights_find(s, s->name, &rights) != ERR_OK || !(rights & ACL_READ))
		return reopen_end(s, "closed to you");
	if (rights != s->rights) {
		s->rights = rights;
		update_put_flags(s);
	}
	return true;
}

static bool check_selected(struct session *s)
{
	if (!rights_still_read(s))
		return false;
	return !s->box || suffice(s->rights, s->command->selected) ||
	       refuse(s, s->rights, s->command->selected);
}

bool rights_check(struct session *s)
{
	return !s->visitor || (check_selected(s) && check_names(s));
}
