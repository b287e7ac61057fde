#include "imapd/capability.h"
#include "imapd/commands.h"
#include "imapd/enabled.h"
#include "imapd/id.h"
#include "imapd/namespace.h"

void cmd_capability(struct session *s)
{
	struct buf *b = &s->out;

	buf_reset(b);
	capability_put(s, b);
	conn_put(&s->c, "* CAPABILITY %s", b->data);
	conn_reply(&s->c, "OK Capability completed.");
}

/* CHECK as well: everything that was told is already on disk. */
void cmd_noop(struct session *s)
{
	session_reply(s, "OK Completed.");
}

void cmd_id(struct session *s)
{
	const char *why = id_check(s->c.args);

	if (why) {
		conn_bad(&s->c, why);
		return;
	}
	conn_put(&s->c, CAPABILITY_ID);
	session_reply(s, "OK ID completed.");
}

/* RFC 5161: unknown extensions are not an error. */
void cmd_enable(struct session *s)
{
	const struct arg *a;

	for (a = s->c.args; a->type != ARG_END; a++)
		if (a->type != ARG_ATOM) {
			conn_bad(&s->c, "ENABLE takes atoms.");
			return;
		}
	buf_reset(&s->out);
	for (a = s->c.args; a->type != ARG_END; a++)
		enable_by_name(s, a, &s->out);
	conn_put(&s->c, "* ENABLED%s", s->out.len ? s->out.data : "");
	session_reply(s, "OK Enabled.");
}

/* RFC 2342: the user's own folders, those of others, and public ones. */
void cmd_namespace(struct session *s)
{
	conn_put(&s->c,
		 "* NAMESPACE ((\"\" \"/\")) ((\"" OTHERS "/\" \"/\")) %s",
		 namespace_has_public(s) ? "((\"" PUBLIC "/\" \"/\"))" : "NIL");
	session_reply(s, "OK Namespace completed.");
}

void cmd_logout(struct session *s)
{
	conn_put(&s->c, "* BYE Logging out");
	conn_reply(&s->c, "OK Logout completed.");
	s->ended = true;
}
