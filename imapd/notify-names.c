/*
 * Which folders there are, for NOTIFY: the rows are made anew from a listing,
 * and what differs from those before is told by LIST. A folder keeps its id
 * when it is renamed, and its UIDVALIDITY, which no other ever had.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "imapd/metadata-watch.h"
#include "imapd/notify.h"

#define ROWS_MAX 10000
#define WATCHED_MAX (FEED_WATCHES_MAX - 2) /* INBOX, and the selected one */

struct compare {
	struct session *s;
	struct notify *n;
	struct store_list list;
	struct notify_row *row;	 /* the new ones, in the order of the list */
	struct notify_row **was; /* for each what it was before, or NULL */
	bool *tell;
	bool *renamed;
	bool *kept;	  /* for each old one: it is among the new ones */
	struct map *old;  /* by name */
	const char *from; /* what this session did */
	const char *to;
};

static unsigned wanted(const struct session *s, const struct notify *n,
		       const struct store_folder *f)
{
	unsigned events = 0;

	for (size_t i = 0; i < n->n; i++) {
		if (!sources_have(s, &n->group[i].in, f))
			continue;
		if (!n->group[i].events)
			return 0;
		events |= n->group[i].events;
	}
	return events;
}

static void find_id(struct session *s, struct notify_row *r)
{
	r->exists = store_id(s->store, r->name, &r->id) == ERR_OK;
}

static int make_rows(struct compare *c)
{
	size_t watched = 0;
	int code = store_list(c->s->store, &c->list);

	if (code)
		return code;
	if (c->list.n > ROWS_MAX)
		return ERR_LIMIT;
	c->row = mem_array(c->list.n + 1, sizeof(*c->row));
	for (size_t i = 0; i < c->list.n; i++) {
		const struct store_folder *f = &c->list.folder[i];
		struct notify_row *r = &c->row[i];

		*r = (struct notify_row){ .name = mem_strdup(f->name),
					  .subscribed = f->subscribed,
					  .use = f->special_use,
					  .events = wanted(c->s, c->n, f) };
		if (f->exists)
			find_id(c->s, r);
		watched += r->exists && r->events;
	}
	return watched > WATCHED_MAX ? ERR_LIMIT : ERR_OK;
}

static void index_old(struct compare *c)
{
	c->old = map_new();
	for (size_t i = 0; i < c->n->nrows; i++)
		map_put(c->old, c->n->row[i].name, &c->n->row[i]);
	c->was = mem_array(c->list.n + 1, sizeof(struct notify_row *));
	c->tell = mem_array(c->list.n + 1, sizeof(*c->tell));
	c->renamed = mem_array(c->list.n + 1, sizeof(*c->renamed));
	c->kept = mem_array(c->n->nrows + 1, sizeof(*c->kept));
}

static bool same_folder(const struct notify_row *a, const struct notify_row *b)
{
	return a->exists && b->exists && folder_id_equal(a->id, b->id);
}

/* An id is given out again when its folder is removed, UIDVALIDITY is not. */
static bool same_validity(struct session *s, const struct notify_row *was,
			  const struct notify_row *r)
{
	struct store_status st;

	return store_status(s->store, r->name, false, &st) == ERR_OK &&
	       was->told.uidvalidity == st.uidvalidity;
}

/* The folder that has R's name now, and had another. */
static struct notify_row *find_renamed(struct compare *c,
				       const struct notify_row *r)
{
	for (size_t i = 0; i < c->n->nrows; i++) {
		struct notify_row *was = &c->n->row[i];

		if (!c->kept[i] && same_folder(was, r) &&
		    same_validity(c->s, was, r))
			return was;
	}
	return NULL;
}

static void keep(struct compare *c, size_t i, struct notify_row *was)
{
	c->was[i] = was;
	if (was)
		c->kept[was - c->n->row] = true;
}

/* First names that stay, then those that were others, then the rest. */
static void match(struct compare *c)
{
	for (size_t i = 0; i < c->list.n; i++) {
		struct notify_row *r = &c->row[i];
		struct notify_row *was = map_get(c->old, r->name);

		if (was &&
		    (same_folder(was, r) || (!was->exists && !r->exists)))
			keep(c, i, was);
	}
	for (size_t i = 0; i < c->list.n; i++)
		if (!c->was[i] && c->row[i].exists) {
			keep(c, i, find_renamed(c, &c->row[i]));
			c->renamed[i] = c->was[i];
		}
	for (size_t i = 0; i < c->list.n; i++) {
		struct notify_row *was = map_get(c->old, c->row[i].name);

		/* a level, or another folder */
		if (!c->was[i] && was && !c->kept[was - c->n->row])
			keep(c, i, was);
	}
}

static bool is_in(const char *name, const char *top)
{
	size_t n = strlen(top);

	return str_starts(name, top) && (!name[n] || name[n] == '/');
}

/* Is row I what this session has just made, removed or renamed? */
static bool is_own(const struct compare *c, size_t i)
{
	const struct notify_row *r = &c->row[i];

	if (str_equal(r->name, c->from) || str_equal(r->name, c->to))
		return c->from;
	return c->to && (c->renamed[i] || !r->exists) &&
	       (is_in(r->name, c->from) || is_in(r->name, c->to));
}

static void mark(struct compare *c, const char *name)
{
	for (size_t i = 0; i < c->list.n; i++)
		if (str_equal(c->row[i].name, name) &&
		    c->row[i].events & NOTIFY_NAME)
			c->tell[i] = true;
}

/* NAME was made or removed: that is news of the level above, too. */
static void mark_parent(struct compare *c, const char *name)
{
	const char *slash = strrchr(name, '/');
	char *parent =
		slash ? mem_printf("%.*s", (int)(slash - name), name) : NULL;

	if (parent)
		mark(c, parent);
	free(parent);
}

/* Was the level above renamed with it, and is told? */
static bool follows(const struct compare *c, size_t i)
{
	const char *now = c->row[i].name, *was = c->was[i]->name;

	for (size_t k = 0; k < i; k++) {
		const char *to = c->row[k].name;
		size_t n = strlen(to), m;

		if (!c->renamed[k] || !is_in(now, to))
			continue;
		m = strlen(c->was[k]->name);
		if (is_in(was, c->was[k]->name) && str_equal(was + m, now + n))
			return true;
	}
	return false;
}

static void find_news_of(struct compare *c, size_t i)
{
	const struct notify_row *r = &c->row[i], *was = c->was[i];
	unsigned events = r->events | (was ? was->events : 0);

	if (is_own(c, i))
		return;
	if (events & NOTIFY_NAME && c->renamed[i])
		c->tell[i] = !follows(c, i);
	else if (events & NOTIFY_NAME && r->exists &&
		 !(was && was->exists && same_folder(was, r)))
		c->tell[i] = true;
	if (events & NOTIFY_NAME && was && was->exists && !r->exists)
		c->tell[i] = true;
	if (events & NOTIFY_SUBSCRIPTION && !c->renamed[i] &&
	    r->subscribed != (was && was->subscribed))
		c->tell[i] = true;
	if (c->tell[i] && r->exists != (was && was->exists))
		mark_parent(c, r->name);
}

static void put_list(struct session *s, const char *name,
		     const struct store_folder *f, const char *oldname)
{
	struct buf *b = &s->out;

	buf_reset(b);
	buf_puts(b, "* LIST (");
	if (!f || !f->exists)
		buf_puts(b, "\\NonExistent ");
	if (f && f->subscribed)
		buf_puts(b, "\\Subscribed ");
	buf_puts(b, f && f->has_children ? "\\HasChildren" : "\\HasNoChildren");
	if (f && f->special_use)
		buf_printf(b, " %s", f->special_use);
	buf_puts(b, ") \"/\" ");
	session_put_name(s, b, name);
	if (oldname) {
		buf_puts(b, " (\"OLDNAME\" (");
		session_put_name(s, b, oldname);
		buf_puts(b, "))");
	}
	buf_puts(b, "\r\n");
	stream_put(s->c.io, b->data, b->len);
}

/* An old row that is nowhere in the listing. */
static void tell_gone(struct compare *c, const struct notify_row *was)
{
	bool name = was->exists && was->events & NOTIFY_NAME;

	if (str_equal(was->name, c->from))
		return;
	if (name || (was->subscribed && was->events & NOTIFY_SUBSCRIPTION))
		put_list(c->s, was->name, NULL, NULL);
	if (name)
		mark_parent(c, was->name);
}

static void tell(struct compare *c)
{
	for (size_t i = 0; i < c->n->nrows; i++)
		if (!c->kept[i])
			tell_gone(c, &c->n->row[i]);
	for (size_t i = 0; i < c->list.n; i++)
		find_news_of(c, i);
	for (size_t i = 0; i < c->list.n; i++)
		if (c->tell[i])
			put_list(c->s, c->row[i].name, &c->list.folder[i],
				 c->renamed[i] ? c->was[i]->name : NULL);
}

enum beginning {
	BEGIN_FIRST, /* NOTIFY was given: the client knows how things are */
	BEGIN_JOINS, /* the folder was not asked for before: it is told that */
	BEGIN_NEW    /* it was empty before */
};

/* R is told of from here on. */
static void begin_row(struct session *s, struct notify_row *r,
		      enum beginning how)
{
	struct store_status st;

	if (store_status(s->store, r->name, false, &st) != ERR_OK)
		return;
	r->told = st;
	if (how == BEGIN_JOINS)
		r->told.uidnext = 0; /* no folder has that */
	else if (how == BEGIN_NEW && st.messages > 0)
		r->told.uidnext = 1;
}

static void take_over(struct compare *c, size_t i, bool first)
{
	struct notify_row *r = &c->row[i], *was = c->was[i];
	bool known = was && was->exists;

	if (known) {
		r->told = was->told;
		r->watched = was->watched && same_folder(was, r);
	}
	if (!r->exists)
		return;
	if (!r->watched)
		notify_watch(c->s, c->n, r);
	if (!known)
		begin_row(c->s, r, first ? BEGIN_FIRST : BEGIN_NEW);
	else if (r->events & ~was->events & NOTIFY_MESSAGES)
		begin_row(c->s, r, BEGIN_JOINS);
	r->due = r->due_metadata = true;
}

/* What the feed need not tell any more. */
static void unwatch(struct compare *c, const struct notify_row *was)
{
	if (!was->watched || str_equal(was->name, "INBOX"))
		return;
	for (size_t i = 0; i < c->list.n; i++)
		if (c->row[i].watched && same_folder(&c->row[i], was))
			return;
	if (c->s->box && folder_id_equal(was->id, mailbox_id(c->s->box)))
		return;
	feed_unwatch(c->s->feed, was->id);
}

static void replace(struct compare *c, bool first)
{
	struct notify *n = c->n;

	for (size_t i = 0; i < c->list.n; i++)
		take_over(c, i, first);
	for (size_t i = 0; i < n->nrows; i++) {
		if (!c->kept[i])
			metadata_watch_forget(c->s, n->row[i].name);
		unwatch(c, &n->row[i]);
		notify_row_free(&n->row[i]);
	}
	free(n->row);
	n->row = c->row;
	n->nrows = c->list.n;
	c->row = NULL;
}

static void end(struct compare *c)
{
	for (size_t i = 0; c->row && i < c->list.n; i++)
		notify_row_free(&c->row[i]);
	free(c->row);
	free(c->was);
	free(c->tell);
	free(c->renamed);
	free(c->kept);
	map_free(&c->old);
	store_list_free(&c->list);
}

int notify_names(struct session *s, struct notify *n, bool first,
		 const char *from, const char *to)
{
	struct compare c = { .s = s, .n = n, .from = from, .to = to };
	int code = make_rows(&c);

	if (!code) {
		if (first) /* what was watched before */
			n->fed &= feed_watch(s->feed, NULL);
		index_old(&c);
		match(&c);
		if (!first)
			tell(&c);
		replace(&c, first);
	}
	end(&c);
	return code;
}
