#include "imapd/capability.h"
#include "imapd/commands.h"
#include "imapd/id.h"
#include "imapd/metadata-watch.h"
#include "imapd/update.h"

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

static bool enable_condstore(struct session *s)
{
	bool new = !(s->enabled & ENABLED_CONDSTORE);

	update_enable(s, ENABLED_CONDSTORE);
	return new;
}

static bool enable_qresync(struct session *s)
{
	bool new = !(s->enabled & ENABLED_QRESYNC);

	update_enable(s, ENABLED_QRESYNC);
	return new;
}

static bool enable_utf8(struct session *s)
{
	bool new = !s->utf8;

	s->utf8 = s->c.limits.utf8 = true;
	return new;
}

static const struct {
	const char *name;
	bool (*enable)(struct session *s); /* false: it was before */
} extensions[] = {
	{ "CONDSTORE", enable_condstore },
	{ "METADATA", metadata_watch_begin },
	{ "QRESYNC", enable_qresync },
	{ "UTF8=ACCEPT", enable_utf8 },
};

/* Enables what NAME says and names it in the reply; nothing if unknown. */
static void enable(struct session *s, const struct arg *name)
{
	for (size_t i = 0; i < sizeof(extensions) / sizeof(*extensions); i++) {
		if (!arg_is(name, extensions[i].name))
			continue;
		if (extensions[i].enable(s))
			buf_printf(&s->out, " %s", extensions[i].name);
	}
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
		enable(s, a);
	conn_put(&s->c, "* ENABLED%s", s->out.len ? s->out.data : "");
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
