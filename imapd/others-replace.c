/*
 * REPLACE (RFC 8508) between folders of different users: the client's message is
 * added to the one, then the old one is removed from the other. If that fails both
 * are there, and the client is told so.
 */
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "imapd/others-copy.h"
#include "imapd/update.h"
#include "imapd/upload.h"

/* The one message that is to go, which is found before another comes. */
static bool find_old(struct copying *c)
{
	const struct arg *a = &c->s->c.args[0];

	if (a->type != ARG_ATOM || strpbrk(a->s, ",:$")) {
		c->told = true;
		return conn_bad(&c->s->c, "One message is to be replaced.");
	}
	return source_may_remove(c) && source_find(c) &&
	       (c->n == 1 || copying_refused(c, "[EXPUNGEISSUED] There is no "
						"such message."));
}

/* Where in the command the name of the folder begins. */
static size_t at_name(const struct session *s)
{
	const struct buf *t = &s->c.reader.text;
	size_t at = 0;

	/* tag, UID, REPLACE and the number */
	for (int words = s->by_uid ? 4 : 3; words > 0; words--)
		at += strcspn(t->data + at, " ") + 1;
	return at;
}

/* The rest of the command is an APPEND's. */
static bool add_there(struct copying *c)
{
	enum visit_reply reply;

	c->sending = true;
	stream_puts(c->to->io, VISIT_TAG " APPEND ");
	others_send(c->s, c->to, at_name(c->s));
	reply = others_send_messages(c->s, c->to, VISIT_TAG, false);
	if (reply == VISIT_LINE)
		reply = visit_pass(c->s, c->to, VISIT_TAG, false);
	return copying_added(c, reply);
}

static bool add_here(struct copying *c)
{
	struct folder_id id;
	struct upload u;
	bool good = upload_begin(&u, c->s, &c->s->c.args[2], c->name) &&
		    upload_message(&u) && upload_is_over(&u) &&
		    upload_commit(&u, &c->uidvalidity, &c->first, &id);

	if (good) {
		session_added(c->s, id, c->first, c->first);
	} else {
		upload_fail(&u);
		c->told = true;
	}
	upload_end(&u);
	return good;
}

void others_replace(struct session *s, struct visit *from, struct visit *to,
		    const char *name)
{
	struct copying c = {
		.s = s, .from = from, .to = to, .name = name, .move = true
	};

	copying_begin(&c);
	if (find_old(&c) && (to ? add_there(&c) : add_here(&c))) {
		conn_put(&s->c, "* OK [APPENDUID %u %u] Added.", c.uidvalidity,
			 c.first);
		if (source_remove(&c))
			update_reply_removed(s, "Replace completed.");
	}
	copying_end(&c);
}
