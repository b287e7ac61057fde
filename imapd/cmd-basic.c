#include "imapd/capability.h"
#include "imapd/commands.h"

void cmd_capability(struct session *s)
{
	conn_put(&s->c, "* CAPABILITY " CAPABILITY_AFTER_LOGIN);
	conn_reply(&s->c, "OK Capability completed.");
}

/* CHECK as well: what we have told is on disk already. */
void cmd_noop(struct session *s)
{
	session_reply(s, "OK Completed.");
}

/* RFC 2971: a list of names and values, or NIL. */
void cmd_id(struct session *s)
{
	const struct arg *a = s->c.args;

	if ((a->type != ARG_LIST && !arg_is(a, "NIL")) ||
	    a[1].type != ARG_END) {
		conn_bad(&s->c, "ID takes a list or NIL.");
		return;
	}
	conn_put(&s->c, CAPABILITY_ID);
	session_reply(s, "OK ID completed.");
}

/* RFC 5161: unknown extensions are no error; there is none to enable. */
void cmd_enable(struct session *s)
{
	const struct arg *a;

	for (a = s->c.args; a->type != ARG_END; a++)
		if (a->type != ARG_ATOM) {
			conn_bad(&s->c, "ENABLE takes atoms.");
			return;
		}
	conn_put(&s->c, "* ENABLED");
	session_reply(s, "OK Enabled.");
}

/* RFC 2342: the user's own folders, and no others. */
void cmd_namespace(struct session *s)
{
	conn_put(&s->c, "* NAMESPACE ((\"\" \"/\")) NIL NIL");
	session_reply(s, "OK Namespace completed.");
}

void cmd_logout(struct session *s)
{
	conn_put(&s->c, "* BYE Logging out");
	conn_reply(&s->c, "OK Logout completed.");
	s->ended = true;
}
