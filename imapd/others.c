/*
 * The visits of a session: who is visited, which of the two places a visit takes,
 * and what a session that serves one must be told so that its answers are those
 * that the client expects: what the client has enabled, what it wants to hear
 * of (NOTIFY), and which of the owner's folders it is subscribed to, since
 * subscriptions are the visitor's. A visit that is lost with the selected folder
 * ends the client's session; any other is begun anew when it is wanted.
 * others-run.c has what becomes of a command.
 */
#include "imapd/others.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "imapd/enabled.h"
#include "imapd/namespace.h"
#include "imapd/notify.h"
#include "log/log.h"

bool others_selected(const struct session *s)
{
	return s->others && s->others->selected;
}

struct visit *others_of_selected(const struct session *s)
{
	return s->others ? s->others->selected : NULL;
}

/* Leaves the visit V, which is set to NULL. */
static void leave(struct others *o, struct visit **v)
{
	if (*v == o->selected)
		o->selected = NULL;
	visit_close(v);
}

void others_free(struct session *s)
{
	for (size_t i = 0; s->others && i < OTHERS_VISITS; i++)
		leave(s->others, &s->others->visit[i]);
	free(s->others);
	s->others = NULL;
}

void others_leave(struct session *s, struct visit *v)
{
	struct others *o = s->others;

	leave(o, v == o->visit[0] ? &o->visit[0] : &o->visit[1]);
}

static void lose(struct session *s, struct visit *v)
{
	log_info("imap: user=%s: the session of %s has ended", s->user,
		 v->owner);
	if (v == s->others->selected) {
		s->lost_why = "closed";
		s->ended = true;
	}
	others_leave(s, v);
}

void others_lost(struct session *s, struct visit *v)
{
	lose(s, v);
	conn_reply(&s->c, "NO [UNAVAILABLE] Not possible now.");
}

void others_pass_line(struct session *s, struct visit *v)
{
	if (v != others_of_selected(s) ||
	    str_starts(v->line.data, "* ENABLED")) /* our own command's */
		return;
	stream_put(s->c.io, v->line.data, v->line.len);
	stream_puts(s->c.io, "\r\n");
}

enum visit_reply others_finish(struct session *s, struct visit *v)
{
	enum visit_reply reply;

	while ((reply = visit_read(v)) == VISIT_LINE)
		others_pass_line(s, v);
	return reply;
}

static bool tell_enabled(struct session *s, struct visit *v)
{
	static const struct {
		unsigned what;
		const char *name;
	} rows[] = {
		{ ENABLED_CONDSTORE, " CONDSTORE" },
		{ ENABLED_QRESYNC, " QRESYNC" },
		{ ENABLED_UTF8, " UTF8=ACCEPT" },
		{ ENABLED_REV2, " IMAP4rev2" },
		{ ENABLED_UIDONLY, " UIDONLY" },
	};
	char names[64] = "";

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (s->enabled & ~v->enabled & rows[i].what)
			strcat(names, rows[i].name);
	v->enabled = s->enabled;
	if (!*names)
		return true;
	visit_ask(v, "ENABLE%s", names);
	return others_finish(s, v) == VISIT_OK;
}

/* The client's own words, of which that session heeds what is about the
 * selected folder. */
static bool tell_notify(struct session *s, struct visit *v)
{
	const struct notify *n = s->notify;

	if (!n || v->notified == n->serial)
		return true;
	v->notified = n->serial;
	visit_ask(v, "%s", n->said);
	return others_finish(s, v) == VISIT_OK;
}

bool others_tell(struct session *s, struct visit *v)
{
	return tell_enabled(s, v) && tell_notify(s, v);
}

void others_notify(struct session *s)
{
	struct visit *v = others_of_selected(s);

	if (v && !others_tell(s, v))
		others_lost(s, v);
}

int others_fd(const struct session *s)
{
	const struct visit *v = s->notify ? others_of_selected(s) : NULL;

	return v ? stream_fd(v->io) : -1;
}

void others_news(struct session *s)
{
	struct visit *v = s->notify ? others_of_selected(s) : NULL;

	if (v && visit_pass_some(s, v, VISIT_TAG) != VISIT_LINE)
		lose(s, v);
}

/* Where the visit to OWNER is, or can be. */
static struct visit **place_of(struct others *o, const char *owner)
{
	for (size_t i = 0; i < OTHERS_VISITS; i++)
		if (o->visit[i] && str_equal(o->visit[i]->owner, owner))
			return &o->visit[i];
	for (size_t i = 0; i < OTHERS_VISITS; i++)
		if (!o->visit[i])
			return &o->visit[i];
	return o->visit[0] == o->selected ? &o->visit[1] : &o->visit[0];
}

/* OWNER's session, if it can be had. Gives a code. */
static int find(struct session *s, const char *owner, struct visit **v)
{
	struct visit **place;
	int code = ERR_OK;

	if (!s->others)
		s->others = mem_alloc(sizeof(*s->others));
	place = place_of(s->others, owner);
	/* an owner's session ends by itself, too: with the suite's instance
	 * that started it, or when a folder was taken away */
	if (*place && *place != s->others->selected &&
	    (!str_equal((*place)->owner, owner) || visit_has_come(*place)))
		leave(s->others, place);
	if (!*place)
		code = visit_open(s, owner, place);
	/* a selected one that is lost is found out when it is used */
	if (!code && !others_tell(s, *place) && *place != s->others->selected) {
		leave(s->others, place);
		code = ERR_TEMP;
	}
	*v = *place;
	return code;
}

struct visit *others_find(struct session *s, const char *owner, const char *no)
{
	struct visit *v;
	int code = find(s, owner, &v);

	if (code == ERR_NOT_FOUND)
		session_reply(s, "NO %s", no);
	else if (code != ERR_OK)
		session_fail(s, code);
	return code == ERR_OK ? v : NULL;
}

bool others_name(const struct session *s, const char *name)
{
	char owner[ACCOUNT_USER_SIZE];

	return !s->visitor && namespace_owner(s, name, owner) &&
	       store_exists(s->store, name) != ERR_OK;
}

/* Sends the command as the client did, up to a message that follows. */
void others_send(struct session *s, struct visit *v, size_t from)
{
	const struct buf *t = &s->c.reader.text;

	stream_put(v->io, t->data + from, t->len - from);
	stream_puts(v->io, "\r\n");
}

/* Can any of the PATTERN[N] match a name of OWNER's? */
static bool is_asked_for(const struct session *s, const char *owner,
			 const char *const *pattern, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (namespace_may_match(s, owner, pattern[i]))
			return true;
	return false;
}

/* Is there any owner who might be asked for? */
static bool is_any_asked_for(const struct session *s,
			     const char *const *pattern, size_t n)
{
	return is_asked_for(s, "", pattern, n) ||
	       (namespace_has_public(s) &&
		is_asked_for(s, s->public_user, pattern, n));
}

void others_owners(struct session *s, const char *const *pattern, size_t n,
		   struct strlist *owners)
{
	struct strlist all = { 0 };
	int code = ERR_OK;

	if (!s->visitor && is_any_asked_for(s, pattern, n))
		code = share_owners(&s->share, &all);
	if (code)
		log_warn("imap: user=%s: others' folders are not listed: %s",
			 s->user, err_why(code));
	for (size_t i = 0; i < all.n; i++)
		if (is_asked_for(s, all.item[i], pattern, n))
			strlist_add(owners, all.item[i]);
	strlist_free(&all);
}

/* Those of OWNER's names that our user has subscribed. */
static void tell_subscribed(struct session *s, struct visit *v,
			    const struct store_list *all)
{
	char prefix[NAMESPACE_PREFIX_SIZE];
	struct buf b;

	namespace_prefix(s, v->owner, prefix);
	buf_init(&b, 8 << 20);
	buf_puts(&b, "SUBSCRIBED");
	for (size_t i = 0; i < all->n; i++)
		if (all->folder[i].subscribed &&
		    str_starts(all->folder[i].name, prefix)) {
			buf_putc(&b, ' ');
			session_put_name(s, &b, all->folder[i].name);
		}
	visit_ask(v, "%s", b.data);
	buf_free(&b);
}

void others_list(struct session *s, const char *owner,
		 const struct store_list *all)
{
	struct visit *v;
	int code = find(s, owner, &v);
	bool good = code == ERR_OK;

	if (good) {
		tell_subscribed(s, v, all);
		good = others_finish(s, v) == VISIT_OK;
	}
	if (good) {
		others_send(s, v, 0);
		good = visit_pass(s, v, s->c.tag, false) < VISIT_PLUS;
	}
	if (!code && !good) {
		others_leave(s, v);
		code = ERR_TEMP;
	}
	if (code && code != ERR_NOT_FOUND)
		log_warn("imap: user=%s: the folders of %s are not listed",
			 s->user, owner);
}
