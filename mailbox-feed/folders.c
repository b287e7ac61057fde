/*
 * A folder is kept here as long as somebody watches it, found by its id and by
 * the numbers of its two inotify watches. What our own programs report is
 * passed on at once. What only inotify saw is passed on a second later, once
 * for all that happened in that time; if it was our own delivery after all,
 * its report comes earlier and replaces this.
 *
 * If the kernel gives no watch, watchers are told to look now and then.
 */
#include "mailbox-feed/folders.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"
#include "log/log.h"
#include "mailbox/watch.h"

/* Our own programs report changes when they are complete. What only inotify saw
 * waits this long, so that nobody looks at half a delivery. */
#define SETTLE_S 1
#define LOOK_S 30 /* if the kernel does not tell us */

#define EVENTS                                                              \
	(IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR | \
	 IN_DONT_FOLLOW)

#define KEY_SIZE 48

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
	int wd[WATCH_PLACES + 1]; /* -1: not watched; the last is of NAMES */
	unsigned seen;		  /* by inotify, not yet told */
	struct event *settle;
	struct event *look; /* NULL: inotify tells of all changes */
	LIST_HEAD(, watch) watches;
	LIST_ENTRY(folder) next;
};

struct folders {
	struct event_base *base;
	void (*foreign)(void *context, const struct feed_change *c);
	void *context;
	LIST_HEAD(, folder) list;
	struct map *by_id;
	struct map *by_wd;
	int inotify; /* -1: the kernel gave none */
	struct event *readable;
	bool full_said;
};

static void wd_key(char *key, int wd)
{
	snprintf(key, KEY_SIZE, "%d", wd);
}

static void tell(struct folder *f, const struct feed_change *c,
		 const struct watcher *by)
{
	struct watch *w;

	/* who reports tells all that inotify saw of it */
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

static bool has_names(const struct folder *f)
{
	return f->wd[WATCH_PLACES] >= 0;
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

/* Something was done to NAME in the Maildir itself. */
static void on_name(struct folder *f, const char *name)
{
	if (watch_is_of_names(name))
		settle_soon(f, FEED_NAMES);
}

static void on_inotify_event(struct folders *all, const struct inotify_event *e)
{
	char key[KEY_SIZE];
	struct folder *f;

	/* the kernel's queue was full: it may have been any of them */
	if (e->mask & IN_Q_OVERFLOW) {
		LIST_FOREACH(f, &all->list, next)
			settle_soon(f, has_names(f) ? FEED_ANY | FEED_NAMES
						    : FEED_ANY);
		return;
	}
	wd_key(key, e->wd);
	f = map_get(all->by_wd, key);
	if (f && e->wd == f->wd[WATCH_PLACES])
		on_name(f, e->len > 0 ? e->name : "");
	else if (f)
		settle_soon(f, FEED_ANY);
}

static void on_readable(int fd, short what, void *arg)
{
	_Alignas(struct inotify_event) char data[16384];
	const struct inotify_event *e;
	ssize_t n = read(fd, data, sizeof(data));
	const char *p = data;

	(void)what;
	while (n > 0 && p < data + n) {
		e = (const void *)p;
		on_inotify_event(arg, e);
		p += sizeof(*e) + e->len;
	}
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
	all->by_wd = map_new();
	all->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (all->inotify < 0) {
		log_warn("no inotify, changes by foreign programs are seen "
			 "late: %m");
		return all;
	}
	all->readable = event_new(base, all->inotify, EV_READ | EV_PERSIST,
				  on_readable, all);
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

/* Watches the place PATH of F; its number, or -1. */
static int add_place(struct folders *all, struct folder *f, const char *path)
{
	char key[KEY_SIZE];
	int wd = inotify_add_watch(all->inotify, path, EVENTS);

	if (wd < 0) {
		if (errno == ENOSPC && !all->full_said) {
			all->full_said = true;
			log_warn("fs.inotify.max_user_watches is reached: "
				 "changes by foreign programs are seen late");
		}
		look_often(f);
		return -1;
	}
	wd_key(key, wd);
	if (map_get(all->by_wd, key))
		return -1; /* one directory in two folders */
	map_put(all->by_wd, key, f);
	return wd;
}

static void add_inotify(struct folders *all, struct folder *f, int handle)
{
	char path[64];

	f->wd[WATCH_PLACES] = -1;
	for (unsigned i = 0; i < WATCH_PLACES; i++) {
		watch_place(handle, i, path, sizeof(path));
		f->wd[i] = add_place(all, f, path);
	}
}

static void add_names(struct folders *all, struct folder *f, int handle)
{
	char path[64];

	if (has_names(f))
		return;
	watch_names_place(handle, path, sizeof(path));
	f->wd[WATCH_PLACES] = add_place(all, f, path);
}

static struct folder *folder_new(struct folders *all, struct folder_id id,
				 int handle)
{
	struct folder *f = mem_alloc(sizeof(*f));
	char key[KEY_SIZE];

	f->all = all;
	f->id = id;
	LIST_INIT(&f->watches);
	f->settle = evtimer_new(all->base, on_settled, f);
	add_inotify(all, f, handle);
	LIST_INSERT_HEAD(&all->list, f, next);
	folder_id_text(id, key);
	map_put(all->by_id, key, f);
	return f;
}

static void folder_free(struct folders *all, struct folder *f)
{
	char key[KEY_SIZE];

	for (int i = 0; i <= WATCH_PLACES; i++) {
		if (f->wd[i] < 0)
			continue;
		inotify_rm_watch(all->inotify, f->wd[i]);
		wd_key(key, f->wd[i]);
		map_remove(all->by_wd, key);
	}
	event_free(f->settle);
	if (f->look)
		event_free(f->look);
	LIST_REMOVE(f, next);
	folder_id_text(f->id, key);
	map_remove(all->by_id, key);
	free(f);
}

static struct folder *find(const struct folders *all, struct folder_id id)
{
	char key[KEY_SIZE];

	folder_id_text(id, key);
	return map_get(all->by_id, key);
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

bool folders_watch(struct folders *all, struct watcher *w, int handle,
		   bool names)
{
	struct feed_change first;
	struct folder_id id;
	struct folder *f;

	if (!watch_id(handle, &id))
		return false;
	f = find(all, id);
	if (!f)
		f = folder_new(all, id, handle);
	if (names)
		add_names(all, f, handle);
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
