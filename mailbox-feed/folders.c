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

struct folder {
	struct folders *all;
	struct folder_id id;
	int wd[WATCH_PLACES]; /* -1: not watched */
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
		 const struct watch *by)
{
	struct watch *w = LIST_FIRST(&f->watches), *next;

	event_del(f->settle);
	for (; w; w = next) {
		next = LIST_NEXT(w, next);
		if (w != by)
			w->changed(w, c);
	}
}

static struct feed_change any_change(const struct folder *f)
{
	return (struct feed_change){ .folder = f->id,
				     .what = FEED_ANY,
				     .user = "" };
}

static void on_time(int fd, short what, void *arg)
{
	struct folder *f = arg;
	struct feed_change c = any_change(f);

	(void)fd;
	(void)what;
	f->all->foreign(f->all->context, &c);
	tell(f, &c, NULL);
}

static void settle_soon(struct folder *f)
{
	static const struct timeval delay = { SETTLE_S, 0 };

	if (!event_pending(f->settle, EV_TIMEOUT, NULL))
		event_add(f->settle, &delay);
}

static void on_inotify_event(struct folders *all, const struct inotify_event *e)
{
	char key[KEY_SIZE];
	struct folder *f;

	/* the kernel's queue was full: it may have been any of them */
	if (e->mask & IN_Q_OVERFLOW) {
		LIST_FOREACH(f, &all->list, next)
			settle_soon(f);
		return;
	}
	wd_key(key, e->wd);
	f = map_get(all->by_wd, key);
	if (f)
		settle_soon(f);
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

static void add_inotify(struct folders *all, struct folder *f, int handle)
{
	char path[64], key[KEY_SIZE];
	int i;

	for (i = 0; i < WATCH_PLACES; i++) {
		watch_place(handle, (unsigned)i, path, sizeof(path));
		f->wd[i] = inotify_add_watch(all->inotify, path, EVENTS);
		if (f->wd[i] < 0)
			look_often(f);
		wd_key(key, f->wd[i]);
		if (f->wd[i] >= 0 && map_get(all->by_wd, key)) {
			f->wd[i] = -1; /* one directory in two folders */
		} else if (f->wd[i] >= 0) {
			map_put(all->by_wd, key, f);
		} else if (errno == ENOSPC && !all->full_said) {
			all->full_said = true;
			log_warn("fs.inotify.max_user_watches is reached: "
				 "changes by foreign programs are seen late");
		}
	}
}

static struct folder *folder_new(struct folders *all, struct folder_id id,
				 int handle)
{
	struct folder *f = mem_alloc(sizeof(*f));
	char key[KEY_SIZE];

	f->all = all;
	f->id = id;
	LIST_INIT(&f->watches);
	f->settle = evtimer_new(all->base, on_time, f);
	add_inotify(all, f, handle);
	LIST_INSERT_HEAD(&all->list, f, next);
	folder_id_text(id, key);
	map_put(all->by_id, key, f);
	return f;
}

static void folder_free(struct folders *all, struct folder *f)
{
	char key[KEY_SIZE];
	int i;

	for (i = 0; i < WATCH_PLACES; i++) {
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

bool folders_watch(struct folders *all, struct watch *w, int handle)
{
	struct feed_change first;
	struct folder_id id;
	struct folder *f;
	char key[KEY_SIZE];

	folders_unwatch(all, w);
	if (!watch_id(handle, &id))
		return false;
	folder_id_text(id, key);
	f = map_get(all->by_id, key);
	if (!f)
		f = folder_new(all, id, handle);
	w->folder = f;
	LIST_INSERT_HEAD(&f->watches, w, next);
	first = any_change(f);
	w->changed(w, &first);
	return true;
}

void folders_unwatch(struct folders *all, struct watch *w)
{
	struct folder *f = w->folder;

	if (!f)
		return;
	LIST_REMOVE(w, next);
	w->folder = NULL;
	if (LIST_EMPTY(&f->watches))
		folder_free(all, f);
}

void folders_changed(struct folders *all, const struct feed_change *c,
		     const struct watch *by)
{
	char key[KEY_SIZE];
	struct folder *f;

	folder_id_text(c->folder, key);
	f = map_get(all->by_id, key);
	if (f)
		tell(f, c, by);
}
