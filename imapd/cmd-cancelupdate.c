/* CANCELUPDATE (RFC 5267 section 4.3.5). */
#include "imapd/commands.h"
#include "imapd/context.h"

static bool all_exist(struct session *s, const struct arg *a)
{
	for (; a->type != ARG_END; a++)
		if (!arg_astring(a) || !context_exists(s, a->s))
			return false;
	return true;
}

void cmd_cancelupdate(struct session *s)
{
	const struct arg *a = s->c.args;

	if (!all_exist(s, a)) {
		conn_bad(&s->c, "Nothing is updated for this tag.");
		return;
	}
	for (; a->type != ARG_END; a++)
		context_cancel(s, a->s);
	session_reply(s, "OK No further updates.");
}
