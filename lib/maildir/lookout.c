/*
 * A token's descriptor is the folder's directory. Up to three places of it are
 * watched: `new`, `cur` and, for what becomes of the user's folders, the
 * directory itself. A folder is found by its id and by the numbers of its
 * inotify watches. Of the directories nothing is read but by the kernel.
 */
#include "maildir/lookout.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "log/log.h"
#include "maildir/maildir.h"

#define EVENTS                                                              \
	(IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR | \
	 IN_DONT_FOLLOW)

enum { NAMES = DIRS, PLACES };

static const char *const places[PLACES] = {
	[DIR_NEW] = "new", [DIR_CUR] = "cur", [NAMES] = "."
};

struct watched {
	struct folder_id id;
	int wd[PLACES]; /* -1: not watched */
	LIST_ENTRY(watched) next;
};

struct maildirs {
	struct lookout l; /* must be first: same pointer */
	int inotify;	  /* -1: the kernel gave none */
	bool full_said;
	LIST_HEAD(, watched) list;
	struct map *by_id;
	struct map *by_wd;
};

#define WD_SIZE 12

static struct maildirs *of(struct lookout *l)
{
	return (struct maildirs *)(void *)l;
}

static void wd_text(char out[WD_SIZE], int wd)
{
	snprintf(out, WD_SIZE, "%d", wd);
}

static int fd(const struct lookout *l)
{
	return ((const struct maildirs *)(const void *)l)->inotify;
}

static bool identify(struct lookout *l, int from, struct folder_token *t)
{
	struct stat st;

	(void)l;
	if (fstat(from, &st) < 0 || !S_ISDIR(st.st_mode))
		return false;
	*t = (struct folder_token){ .id = maildir_id(&st), .fd = from };
	return true;
}

static unsigned what_of(const struct watched *w)
{
	return w->wd[NAMES] < 0 ? LOOKOUT_MESSAGES
				: LOOKOUT_MESSAGES | LOOKOUT_NAMES;
}

static void on_event(struct maildirs *m, const struct inotify_event *e)
{
	struct watched *w;
	char key[WD_SIZE];

	/* the kernel's queue was full: it may have been any of them */
	if (e->mask & IN_Q_OVERFLOW) {
		LIST_FOREACH(w, &m->list, next)
			m->l.seen(m->l.context, w->id, what_of(w));
		return;
	}
	wd_text(key, e->wd);
	w = map_get(m->by_wd, key);
	if (w && e->wd != w->wd[NAMES])
		m->l.seen(m->l.context, w->id, LOOKOUT_MESSAGES);
	else if (w && e->len > 0 && maildir_is_of_names(e->name))
		m->l.seen(m->l.context, w->id, LOOKOUT_NAMES);
}

static void look(struct lookout *l)
{
	_Alignas(struct inotify_event) char data[16384];
	const struct inotify_event *e;
	ssize_t n = read(fd(l), data, sizeof(data));
	const char *p = data;

	while (n > 0 && p < data + n) {
		e = (const void *)p;
		on_event(of(l), e);
		p += sizeof(*e) + e->len;
	}
}

static void say_full(struct maildirs *m)
{
	if (!m->full_said)
		log_warn("fs.inotify.max_user_watches is reached: changes by "
			 "foreign programs are seen late");
	m->full_said = true;
}

/* Watches a place of W, whose directory is DIR. False: the kernel does not. */
static bool add_place(struct maildirs *m, struct watched *w, int dir,
		      unsigned place)
{
	char path[64], key[WD_SIZE];
	int wd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir, places[place]);
	wd = inotify_add_watch(m->inotify, path, EVENTS);
	if (wd < 0) {
		if (errno == ENOSPC)
			say_full(m);
		return false;
	}
	wd_text(key, wd);
	if (map_get(m->by_wd, key))
		return true; /* one directory in two folders */
	map_put(m->by_wd, key, w);
	w->wd[place] = wd;
	return true;
}

static struct watched *watched_new(struct maildirs *m, struct folder_id id)
{
	struct watched *w = mem_alloc(sizeof(*w));
	char key[FOLDER_ID_SIZE];

	w->id = id;
	for (unsigned i = 0; i < PLACES; i++)
		w->wd[i] = -1;
	LIST_INSERT_HEAD(&m->list, w, next);
	folder_id_text(id, key);
	map_put(m->by_id, key, w);
	return w;
}

static struct watched *find(const struct maildirs *m, struct folder_id id)
{
	char key[FOLDER_ID_SIZE];

	folder_id_text(id, key);
	return map_get(m->by_id, key);
}

static bool add(struct lookout *l, const struct folder_token *t, bool names)
{
	struct maildirs *m = of(l);
	struct watched *w = find(m, t->id);
	bool all = true;

	if (!w) {
		w = watched_new(m, t->id);
		for (unsigned i = 0; i < DIRS; i++)
			all &= add_place(m, w, t->fd, i);
	}
	if (names && w->wd[NAMES] < 0)
		all &= add_place(m, w, t->fd, NAMES);
	return all;
}

static void remove_watched(struct lookout *l, struct folder_id id)
{
	struct maildirs *m = of(l);
	struct watched *w = find(m, id);
	char key[FOLDER_ID_SIZE];

	if (!w)
		return;
	for (unsigned i = 0; i < PLACES; i++) {
		if (w->wd[i] < 0)
			continue;
		inotify_rm_watch(m->inotify, w->wd[i]);
		wd_text(key, w->wd[i]);
		map_remove(m->by_wd, key);
	}
	folder_id_text(id, key);
	map_remove(m->by_id, key);
	LIST_REMOVE(w, next);
	free(w);
}

static const struct lookout_ops ops = {
	.fd = fd,
	.look = look,
	.identify = identify,
	.add = add,
	.remove = remove_watched,
};

struct lookout *maildir_lookout(lookout_seen *seen, void *context)
{
	struct maildirs *m = mem_alloc(sizeof(*m));

	m->l = (struct lookout){ &ops, seen, context };
	LIST_INIT(&m->list);
	m->by_id = map_new();
	m->by_wd = map_new();
	m->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (m->inotify < 0)
		log_warn("no inotify, changes by foreign programs are seen "
			 "late: %m");
	return &m->l;
}
