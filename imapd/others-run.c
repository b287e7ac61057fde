/*
 * Which session runs a command: by its place in the table of commands, and by the
 * folders that its arguments name. One that is for another user's session is
 * passed on as the client sent it, and so is the answer.
 */
#include <poll.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "imapd/commands.h"
#include "imapd/enabled.h"
#include "imapd/namespace.h"
#include "imapd/notify.h"
#include "imapd/others.h"
#include "imapd/resync.h"
#include "server/prefork.h"

#define DONE_MAX 1024
#define NONE "[NONEXISTENT] No such mailbox."
#define TRYCREATE "[TRYCREATE] No such mailbox."

/* A folder that an argument names. */
struct named {
	char name[FOLDER_NAME_SIZE];
	char owner[ACCOUNT_USER_SIZE]; /* if it is not ours */
	bool ours;
};

/* False: the client is told that it is none. */
static bool read_name(struct session *s, const struct arg *a, struct named *n)
{
	*n = (struct named){ .ours = true };
	if (arg_astring(a) && a->n == 0)
		return true; /* the account, for annotations */
	if (!session_name(s, a, n->name))
		return false;
	n->ours = !others_name(s, n->name);
	if (n->ours)
		return true;
	if (!namespace_owner(s, n->name, n->owner) || !*n->owner)
		session_reply(s, "NO %s",
			      s->command->place == PLACE_TARGET ? TRYCREATE
								: NONE);
	return *n->owner;
}

/* Passes on the literal. False: the client is gone. */
static bool send_literal(struct session *s, struct visit *v)
{
	uint64_t left = s->c.reader.literal;

	while (left > 0) {
		size_t n;
		const char *data = conn_window(&s->c, &n);

		if (n == 0) {
			if (conn_fill(&s->c) != CONN_COMMAND)
				return false;
			continue;
		}
		n = n > left ? (size_t)left : n;
		stream_put(v->io, data, n);
		conn_consume(&s->c, n);
		left -= n;
	}
	return true;
}

enum visit_reply others_send_messages(struct session *s, struct visit *v,
				      const char *tag, bool tagged)
{
	enum visit_reply reply;
	size_t from;

	while (s->c.literal) {
		if (!s->c.reader.nonsync) {
			reply = visit_pass(s, v, tag, tagged);
			if (reply != VISIT_PLUS)
				return reply;
		}
		if (!send_literal(s, v) || !conn_more(&s->c, &from)) {
			s->ended = true;
			return VISIT_LOST;
		}
		others_send(s, v, from);
	}
	return VISIT_LINE;
}

/* Mod-sequences are enabled by what uses them: also here, for our user's
 * folders. */
static bool uses_modseq(const struct arg *a)
{
	static const char *const words[] = { "CONDSTORE", "MODSEQ",
					     "CHANGEDSINCE", "UNCHANGEDSINCE",
					     "HIGHESTMODSEQ" };

	for (; a && a->type != ARG_END; a++) {
		if (a->type == ARG_LIST && uses_modseq(a->list))
			return true;
		for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
			if (arg_is(a, words[i]))
				return true;
	}
	return false;
}

static void note_enabled(struct session *s, struct visit *v,
			 const struct arg *args)
{
	if (!uses_modseq(args))
		return;
	enable(s, ENABLED_CONDSTORE);
	v->enabled |= ENABLED_CONDSTORE;
}

/* The whole command is run by V. */
static enum visit_reply relay(struct session *s, struct visit *v)
{
	const struct arg *args = s->c.args;
	bool messages = s->c.literal;
	enum visit_reply reply;

	others_send(s, v, 0);
	reply = others_send_messages(s, v, s->c.tag, true);
	if (reply == VISIT_LINE || reply == VISIT_PLUS)
		reply = visit_pass(s, v, s->c.tag, true);
	if (reply == VISIT_LOST || reply == VISIT_PLUS) {
		others_lost(s, v);
		return VISIT_LOST;
	}
	s->c.answered = true;
	if (reply == VISIT_BAD)
		s->c.bad++;
	else
		s->c.bad = 0;
	if (!messages)
		note_enabled(s, v, args);
	return reply;
}

static bool is(const struct session *s, void (*act)(struct session *s))
{
	return s->command->act == act;
}

static bool run_in_selected(struct session *s)
{
	struct visit *v = others_of_selected(s);
	enum visit_reply reply;

	if (!v)
		return false;
	if (!others_tell(s, v)) {
		others_lost(s, v);
		return true;
	}
	reply = relay(s, v);
	if (reply == VISIT_OK && (is(s, cmd_close) || is(s, cmd_unselect)))
		s->others->selected = NULL;
	return true;
}

static bool run_named(struct session *s)
{
	struct named n;
	struct visit *v;

	if (!read_name(s, command_name(s), &n))
		return true;
	if (n.ours)
		return false;
	v = others_find(s, n.owner, is(s, cmd_append) ? TRYCREATE : NONE);
	/* a folder that was deleted is not selected any more */
	if (v && relay(s, v) == VISIT_OK && is(s, cmd_delete) &&
	    v == s->others->selected && str_equal(n.name, s->others->name))
		s->others->selected = NULL;
	return true;
}

static bool run_renamed(struct session *s)
{
	struct named from, to;
	struct visit *v;

	if (!read_name(s, &s->c.args[0], &from) ||
	    !read_name(s, &s->c.args[1], &to))
		return true;
	if (from.ours && to.ours)
		return false;
	if (from.ours != to.ours || !str_equal(from.owner, to.owner)) {
		session_reply(s, "NO [CANNOT] A folder stays its owner's.");
		return true;
	}
	v = others_find(s, from.owner, NONE);
	if (v)
		relay(s, v);
	return true;
}

/* Leaves the selected folder, whoever's it is. */
static void deselect(struct session *s)
{
	struct visit *v = others_of_selected(s);

	if (s->box || v)
		conn_put(&s->c, "* OK [CLOSED] Previous mailbox closed.");
	session_deselect(s);
	if (!v)
		return;
	s->others->selected = NULL;
	visit_ask(v, "UNSELECT");
	if (others_finish(s, v) != VISIT_OK)
		others_leave(s, v);
}

/* A failed SELECT leaves nothing selected, but one that is BAD closes
 * nothing. */
static bool run_opened(struct session *s)
{
	const struct arg *a = command_name(s);
	struct resync ignored;
	struct visit *v;
	struct named n;

	if (!arg_astring(a))
		return false;
	if (!resync_parse(s, &s->c.args[1], &ignored))
		return true;
	if (others_selected(s))
		deselect(s);
	if (!read_name(s, a, &n)) {
		session_deselect(s);
		return true;
	}
	if (n.ours)
		return false;
	deselect(s);
	v = others_find(s, n.owner, NONE);
	if (v && relay(s, v) == VISIT_OK) {
		s->others->selected = v;
		str_copy(s->others->name, sizeof(s->others->name), n.name);
	}
	return true;
}

/* REPLACE, or a copy. */
static bool run_target(struct session *s)
{
	struct visit *from = others_of_selected(s), *to = NULL;
	struct named n;

	if (!from && !s->box)
		return false;
	if (!read_name(s, command_name(s), &n))
		return true;
	if (n.ours && !from)
		return false;
	if (from && !others_tell(s, from)) {
		others_lost(s, from);
		return true;
	}
	if (!n.ours && (to = others_find(s, n.owner, TRYCREATE)) == NULL)
		return true;
	if (to && to == from)
		relay(s, to);
	else if (s->command->flags & COMMAND_WRITES && !from && s->read_only)
		session_reply(s, "NO [READ-ONLY] The mailbox was opened for "
				 "reading only.");
	else if (is(s, cmd_replace))
		others_replace(s, from, to, n.name);
	else
		others_copy(s, from, to, n.name, is(s, cmd_move));
	return true;
}

/* What there is beside the client's line: what the other side tells, a stop,
 * and what NOTIFY asked for of our user's folders. */
enum { CLIENT, VISIT, STOP, CHANGES, NFDS };

/* The line that ends IDLE, if it is there, goes to V. */
static bool pass_done(struct session *s, struct visit *v)
{
	size_t n;
	const char *line = conn_window(&s->c, &n), *lf = memchr(line, '\n', n);

	if (!lf && n > DONE_MAX) {
		conn_cut(&s->c, "Command too long");
		s->ended = true;
	}
	if (!lf)
		return s->ended;
	n = (size_t)(lf - line) + 1;
	stream_put(v->io, line, n);
	conn_consume(&s->c, n);
	return true;
}

/* Waits for the client; VISIT_LINE: there is more to wait for. */
static enum visit_reply idle_turn(struct session *s, struct visit *v)
{
	struct pollfd p[NFDS] = {
		[CLIENT] = { stream_fd(s->c.io), POLLIN, 0 },
		[VISIT] = { stream_fd(v->io), POLLIN, 0 },
		[STOP] = { prefork_stop_fd(), POLLIN, 0 },
		[CHANGES] = { notify_fd(s), POLLIN, 0 },
	};
	enum visit_reply reply = visit_pass_some(s, v, s->c.tag);

	notify_look(s, true);
	if (reply != VISIT_LINE)
		return reply;
	if (stream_flush(s->c.io) != ERR_OK || s->ended) {
		s->ended = true;
		return VISIT_LOST;
	}
	poll(p, NFDS, notify_ms(s));
	if (p[VISIT].revents)
		reply = visit_pass_some(s, v, s->c.tag);
	if (reply == VISIT_LINE && p[CLIENT].revents &&
	    conn_look(&s->c) == CONN_END)
		s->ended = true;
	if (p[STOP].revents) {
		conn_put(&s->c, "* BYE Server is shutting down");
		s->ended = true;
	}
	return s->ended ? VISIT_LOST : reply;
}

static void idle(struct session *s, struct visit *v)
{
	enum visit_reply reply;

	others_send(s, v, 0);
	reply = visit_pass(s, v, s->c.tag, true);
	if (reply == VISIT_PLUS) {
		reply = VISIT_LINE;
		while (reply == VISIT_LINE && !pass_done(s, v))
			reply = idle_turn(s, v);
		if (reply == VISIT_LINE && !s->ended)
			reply = visit_pass(s, v, s->c.tag, true);
	}
	if (s->ended)
		return;
	s->c.answered = reply != VISIT_LOST;
	if (reply == VISIT_LOST)
		others_lost(s, v);
}

/* Of the selected folder, or of ours: nobody has asked for both in one
 * search. */
static bool run_esearch(struct session *s)
{
	const struct arg *a = s->c.args, *in;
	bool selected = true, others = false;

	if (!others_selected(s))
		return false;
	if (arg_is(a, "IN") && a[1].type == ARG_LIST) {
		selected = false;
		for (in = a[1].list; in->type != ARG_END; in++)
			if (arg_is(in, "SELECTED"))
				selected = true;
			else
				others = true;
	}
	if (selected && others)
		session_reply(s, "NO [CANNOT] Another user's folder is "
				 "searched by itself.");
	else if (selected)
		return run_in_selected(s);
	return selected;
}

static bool run_idle(struct session *s)
{
	struct visit *v = others_of_selected(s);

	if (!v)
		return false;
	if (others_tell(s, v))
		idle(s, v);
	else
		others_lost(s, v);
	return true;
}

bool others_run(struct session *s)
{
	if (s->visitor)
		return false;
	switch (s->command->place) {
	case PLACE_SELECTED:
		return run_in_selected(s);
	case PLACE_NAMED:
		return run_named(s);
	case PLACE_NEW:
		return run_named(s);
	case PLACE_RENAMED:
		return run_renamed(s);
	case PLACE_OPENED:
		return run_opened(s);
	case PLACE_TARGET:
		return run_target(s);
	case PLACE_ALL:
		return is(s, cmd_idle)	    ? run_idle(s)
		       : is(s, cmd_esearch) ? run_esearch(s)
					    : false;
	case PLACE_HERE:
		break;
	}
	return false;
}
