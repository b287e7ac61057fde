/*
 * NOTIFY (RFC 5465 section 3.1): what is asked for. A command that is refused
 * leaves what was before.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "imapd/commands.h"
#include "imapd/enabled.h"
#include "imapd/notify.h"
#include "imapd/others.h"

#define SUPPORTED                                            \
	"(MessageNew MessageExpunge FlagChange MailboxName " \
	"SubscriptionChange MailboxMetadataChange ServerMetadataChange)"

static const struct {
	const char *name;
	unsigned event;
} events[] = {
	{ "MessageNew", NOTIFY_NEW },
	{ "MessageExpunge", NOTIFY_EXPUNGE },
	{ "FlagChange", NOTIFY_FLAGS },
	{ "MailboxName", NOTIFY_NAME },
	{ "SubscriptionChange", NOTIFY_SUBSCRIPTION },
	{ "MailboxMetadataChange", NOTIFY_METADATA },
	{ "ServerMetadataChange", NOTIFY_SERVER_METADATA },
};

#define EVENTS (sizeof(events) / sizeof(events[0]))

struct asked {
	struct session *s;
	struct notify *n;
	bool selected;	  /* there was a group of it */
	bool unsupported; /* an event */
	bool theirs;	  /* folders of another user */
};

static unsigned read_event(struct asked *q, const struct arg *a)
{
	for (size_t i = 0; i < EVENTS; i++)
		if (arg_is(a, events[i].name))
			return events[i].event;
	q->unsupported = true;
	return 0;
}

/* The attributes that follow MessageNew. Nobody reads what comes unasked: so
 * BODY[] means BODY.PEEK[] here. */
static const char *read_fetch(struct asked *q, const struct arg *list)
{
	const struct arg one[] = { *list, { .type = ARG_END } };
	struct arena *arena = q->s->c.arena;
	struct fetch *f = arena_alloc(arena, sizeof(*f));
	const char *why = fetch_parse(q->s, one, f);

	f->what |= FETCH_UID_TOO;
	q->n->fetch = f;
	return why;
}

static const char *read_events(struct asked *q, const struct arg *a,
			       bool selected, unsigned *wanted)
{
	const char *why = NULL;

	if (a->type == ARG_END)
		return "An event is missing.";
	for (; !why && a->type != ARG_END; a++) {
		unsigned event;

		if (a->type != ARG_ATOM)
			return "Not an event.";
		event = read_event(q, a);
		*wanted |= event;
		if (event != NOTIFY_NEW || a[1].type != ARG_LIST)
			continue;
		if (!selected)
			return "What to fetch is for the selected mailbox.";
		why = read_fetch(q, ++a);
	}
	return why;
}

/* RFC 5465 section 5. */
static const char *check_events(const struct asked *q, unsigned wanted,
				bool selected)
{
	bool both = (wanted & NOTIFY_NEW) && (wanted & NOTIFY_EXPUNGE);

	if (wanted & NOTIFY_MESSAGES && !both && !q->unsupported)
		return "MessageNew and MessageExpunge go together, and with "
		       "FlagChange.";
	if (selected && wanted & ~(unsigned)NOTIFY_MESSAGES)
		return "Only message events are for the selected mailbox.";
	return NULL;
}

/* Which folders: moves *A behind that. False, and the client was told. */
static bool read_filter(struct asked *q, const struct arg **a, bool *selected,
			struct sources *in)
{
	bool delayed = arg_is(*a, "SELECTED-DELAYED");

	*selected = delayed || arg_is(*a, "SELECTED");
	if (!*selected && q->s->visitor) {
		sources_skip(a); /* its own session tells of its folders */
		return true;
	}
	if (!*selected) {
		bool good = sources_parse_one(q->s, a, in);

		q->theirs |= good && in->theirs;
		return good;
	}
	if (q->selected)
		return conn_bad(&q->s->c, "SELECTED can be given once.");
	q->selected = true;
	q->n->delayed = delayed;
	(*a)++;
	return true;
}

static bool read_group(struct asked *q, const struct arg *a)
{
	struct notify_group g = { 0 };
	bool selected, none;
	const char *why = NULL;

	if (a->type != ARG_LIST)
		return conn_bad(&q->s->c, "Not a group of events.");
	a = a->list;
	if (!read_filter(q, &a, &selected, &g.in))
		return false;
	if (q->s->visitor && !selected)
		return true;
	none = arg_is(a, "NONE");
	if (a->type == ARG_END || a[1].type != ARG_END ||
	    (!none && a->type != ARG_LIST))
		return conn_bad(&q->s->c, "A list of events is missing.");
	if (!none)
		why = read_events(q, a->list, selected, &g.events);
	if (!why)
		why = check_events(q, g.events, selected);
	if (why)
		return conn_bad(&q->s->c, why);
	if (selected)
		q->n->selected = g.events;
	else
		q->n->group[q->n->n++] = g;
	if (g.events & NOTIFY_SERVER_METADATA)
		q->n->account = true;
	return true;
}

/* "SET [STATUS] (…) …" or "NONE". */
static bool read_all(struct asked *q, bool *status)
{
	const struct arg *a = q->s->c.args;

	*status = false;
	if (arg_is(a, "NONE") && a[1].type == ARG_END)
		return true;
	if (!arg_is(a, "SET") || a[1].type == ARG_END)
		return conn_bad(&q->s->c, "NOTIFY takes SET and what, or "
					  "NONE.");
	*status = arg_is(++a, "STATUS");
	a += *status;
	if (a->type == ARG_END)
		return conn_bad(&q->s->c, "A group of events is missing.");
	q->n->group = arena_alloc(q->s->c.arena,
				  args_count(a) * sizeof(*q->n->group));
	for (; a->type != ARG_END; a++)
		if (!read_group(q, a))
			return false;
	return true;
}

/* The command as the client sent it, for the sessions of other users. */
static const char *without_tag(const struct session *s)
{
	const struct buf *t = &s->c.reader.text;
	size_t from = strlen(s->c.tag) + 1;

	return arena_strndup(s->c.arena, t->data + from, t->len - from);
}

/* N keeps the command's memory. */
static void begin(struct session *s, struct notify *n, bool status)
{
	int code;

	if (n->fetch && n->fetch->what & FETCH_MODSEQ)
		enable(s, ENABLED_CONDSTORE);
	code = notify_begin(s, n, status);
	if (code) {
		notify_free(&n);
		if (code == ERR_LIMIT)
			session_reply(s, "NO [NOTIFICATIONOVERFLOW] Too many "
					 "mailboxes.");
		else
			session_fail(s, code);
		return;
	}
	n->said = without_tag(s);
	n->arena = s->c.arena;
	s->c.arena = arena_new();
	others_notify(s);
	session_reply(s, "OK Notify completed.");
}

void cmd_notify(struct session *s)
{
	struct asked q = { .s = s, .n = mem_alloc(sizeof(*q.n)) };
	bool status;

	if (read_all(&q, &status) && !q.unsupported && !q.theirs) {
		begin(s, q.n, status);
		return;
	}
	notify_free(&q.n);
	if (q.theirs && !q.unsupported)
		session_reply(s, "NO [CANNOT] Of other users' mailboxes "
				 "nothing is told.");
	else if (q.unsupported)
		session_reply(s, "NO [BADEVENT " SUPPORTED "] Not an event "
				 "here.");
}
