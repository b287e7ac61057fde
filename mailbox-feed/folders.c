/*
 * A folder is kept here as long as somebody watches it, found by its id. What
 * our own programs report is passed on at once. What was only seen from outside
 * (mailbox/lookout.h) is passed on a second later, once for all that happened in
 * that time; if it was our own delivery after all, its report comes earlier and
 * replaces this.
 *
 * If not all can be seen, watchers are told to look now and then.
 */
#include "mailbox-feed/folders.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "mailbox/lookout.h"

/* Our own programs report changes when they are complete. What was only seen
 * waits this long, so that nobody looks at half a delivery. */
#define SETTLE_S 1
#define LOOK_S 30 /* if not all is seen */

/* One watcher's of one folder. */
struct watch {
	LIST_ENTRY(watch) next; /* of the folder's … */
	LIST_ENTRY(watch) of_same; /* … and of the watcher's */
	struct folder *folder;
	struct watcher *by;
};

struct folder {
	struct folders *all;
	struct folder_id id;
	bool names;    /* somebody wants to hear of them */
	unsigned seen; /* from outside, not yet told */
	struct event *settle;
	struct event *look; /* NULL: all changes are seen */
	LIST_HEAD(, watch) watches;
	LIST_ENTRY(folder) next;
};

struct folders {
	struct event_base *base;
	void (*foreign)(void *context, const struct feed_change *c);
	void *context;
	LIST_HEAD(, folder) list;
	struct map *by_id;
	struct lookout *lookout;
	struct event *readable;
};

static void tell(struct folder *f, const struct feed_change *c,
		 const struct watcher *by)
{
	struct watch *w;

	/* who reports tells all that was seen of it */
	if (c->what & FEED_ANY)
		f->seen &= ~(unsigned)FEED_ANY;
	if (c->what & FEED_NAMES)
		f->seen &= ~(unsigned)FEED_NAMES;
	if (!f->seen)
		event_del(f->settle);
	LIST_FOREACH(w, &f->watches, next)
		if (w->by != by)
			w->by->changed(w->by, c);
}

static struct feed_change change_of(const struct folder *f, unsigned what)
{
	return (struct feed_change){ .folder = f->id,
				     .what = what,
				     .user = "" };
}

static void tell_foreign(struct folder *f, unsigned what)
{
	struct feed_change c = change_of(f, what);

	f->all->foreign(f->all->context, &c);
	tell(f, &c, NULL);
}

static void on_settled(int fd, short what, void *arg)
{
	struct folder *f = arg;

	(void)fd;
	(void)what;
	tell_foreign(f, f->seen);
}

static void on_time(int fd, short what, void *arg)
{
	struct folder *f = arg;

	(void)fd;
	(void)what;
	tell_foreign(f, FEED_ANY | FEED_NAMES);
}

static void settle_soon(struct folder *f, unsigned what)
{
	static const struct timeval delay = { SETTLE_S, 0 };

	f->seen |= what;
	if (!event_pending(f->settle, EV_TIMEOUT, NULL))
		event_add(f->settle, &delay);
}

static struct folder *find(const struct folders *all, struct folder_id id)
{
	char key[FOLDER_ID_SIZE];

	folder_id_text(id, key);
	return map_get(all->by_id, key);
}

static void on_seen(void *context, struct folder_id id, unsigned what)
{
	struct folder *f = find(context, id);

	if (f && what & LOOKOUT_MESSAGES)
		settle_soon(f, FEED_ANY);
	if (f && what & LOOKOUT_NAMES)
		settle_soon(f, FEED_NAMES);
}

static void on_readable(int fd, short what, void *arg)
{
	struct folders *all = arg;

	(void)fd;
	(void)what;
	lookout_look(all->lookout);
}

struct folders *folders_new(struct event_base *base,
			    void (*foreign)(void *, const struct feed_change *),
			    void *context)
{
	struct folders *all = mem_alloc(sizeof(*all));

	all->base = base;
	all->foreign = foreign;
	all->context = context;
	LIST_INIT(&all->list);
	all->by_id = map_new();
	all->lookout = lookout_begin(on_seen, all);
	if (lookout_fd(all->lookout) < 0)
		return all;
	all->readable = event_new(base, lookout_fd(all->lookout),
				  EV_READ | EV_PERSIST, on_readable, all);
	event_add(all->readable, NULL);
	return all;
}

/* Tells watchers of F to look for themselves now and then. */
static void look_often(struct folder *f)
{
	static const struct timeval pause = { LOOK_S, 0 };

	if (f->look)
		return;
	f->look = event_new(f->all->base, -1, EV_PERSIST, on_time, f);
	event_add(f->look, &pause);
}

static struct folder *folder_new(struct folders *all, struct folder_id id)
{
	struct folder *f = mem_alloc(sizeof(*f));
	char key[FOLDER_ID_SIZE];

	f->all = all;
	f->id = id;
	LIST_INIT(&f->watches);
	f->settle = evtimer_new(all->base, on_settled, f);
	LIST_INSERT_HEAD(&all->list, f, next);
	folder_id_text(id, key);
	map_put(all->by_id, key, f);
	return f;
}

/* The folder of T, which is watched from now on; with NAMES, these too. */
static struct folder *folder_of(struct folders *all,
				const struct folder_token *t, bool names)
{
	struct folder *f = find(all, t->id);
	bool more = !f || (names && !f->names);

	if (!f)
		f = folder_new(all, t->id);
	f->names |= names;
	if (more && !lookout_add(all->lookout, t, names))
		look_often(f);
	return f;
}

static void folder_free(struct folders *all, struct folder *f)
{
	char key[FOLDER_ID_SIZE];

	lookout_remove(all->lookout, f->id);
	event_free(f->settle);
	if (f->look)
		event_free(f->look);
	LIST_REMOVE(f, next);
	folder_id_text(f->id, key);
	map_remove(all->by_id, key);
	free(f);
}

static struct watch *watch_of(const struct folder *f, const struct watcher *by)
{
	struct watch *w;

	LIST_FOREACH(w, &f->watches, next)
		if (w->by == by)
			return w;
	return NULL;
}

static bool watch_new(struct folder *f, struct watcher *by)
{
	struct watch *w;

	if (watch_of(f, by))
		return true;
	if (by->n >= FEED_WATCHES_MAX)
		return false;
	w = mem_alloc(sizeof(*w));
	w->folder = f;
	w->by = by;
	LIST_INSERT_HEAD(&f->watches, w, next);
	LIST_INSERT_HEAD(&by->watches, w, of_same);
	by->n++;
	return true;
}

static void watch_end(struct folders *all, struct watch *w)
{
	struct folder *f = w->folder;

	LIST_REMOVE(w, next);
	LIST_REMOVE(w, of_same);
	w->by->n--;
	free(w);
	if (LIST_EMPTY(&f->watches))
		folder_free(all, f);
}

bool folders_watch(struct folders *all, struct watcher *w, int fd, bool names)
{
	struct feed_change first;
	struct folder_token t;
	struct folder *f;

	if (!lookout_identify(all->lookout, fd, &t))
		return false;
	f = folder_of(all, &t, names);
	if (!watch_new(f, w)) {
		if (LIST_EMPTY(&f->watches))
			folder_free(all, f);
		return false;
	}
	first = change_of(f, FEED_ANY | FEED_ANNOTATIONS |
				     (names ? FEED_NAMES : 0));
	w->changed(w, &first);
	return true;
}

void folders_unwatch(struct folders *all, struct watcher *w,
		     struct folder_id id)
{
	struct folder *f = find(all, id);
	struct watch *mine = f ? watch_of(f, w) : NULL;

	if (mine)
		watch_end(all, mine);
}

void folders_unwatch_all(struct folders *all, struct watcher *w)
{
	while (!LIST_EMPTY(&w->watches))
		watch_end(all, LIST_FIRST(&w->watches));
}

bool folders_are_told(const struct watcher *w)
{
	const struct watch *x;

	LIST_FOREACH(x, &w->watches, of_same)
		if (x->folder->look)
			return false;
	return true;
}

void folders_changed(struct folders *all, const struct feed_change *c,
		     const struct watcher *by)
{
	struct folder *f = find(all, c->folder);

	if (f)
		tell(f, c, by);
}
