#include "imapd/imap-idle-folder.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"
#include "log/log.h"

/* Our own programs say what they did as soon as it is whole. What only
 * inotify saw waits so long, so that nobody looks at half a delivery. */
#define SETTLE_S 1
#define LOOK_S 30 /* where the kernel does not tell us */

#define EVENTS                                                              \
	(IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR | \
	 IN_DONT_FOLLOW)

#define KEY_SIZE 48

static const char *const subdirs[] = { "new", "cur" };
#define SUBDIRS 2

struct folder {
	struct folders *all;
	dev_t dev;
	ino_t ino;
	int wd[SUBDIRS]; /* -1: not watched */
	struct event *settle;
	struct event *look; /* NULL: inotify tells of all changes */
	LIST_HEAD(, watch) watches;
};

struct folders {
	struct event_base *base;
	struct map *by_inode; /* "dev:ino" */
	struct map *by_wd;
	int inotify; /* -1: the kernel gave none */
	struct event *readable;
	bool full_said;
};

static void inode_key(char *key, dev_t dev, ino_t ino)
{
	snprintf(key, KEY_SIZE, "%ju:%ju", (uintmax_t)dev, (uintmax_t)ino);
}

static void wd_key(char *key, int wd)
{
	snprintf(key, KEY_SIZE, "%d", wd);
}

static void tell(struct folder *f, const struct watch *by)
{
	struct watch *w = LIST_FIRST(&f->watches), *next;

	event_del(f->settle);
	for (; w; w = next) {
		next = LIST_NEXT(w, next);
		if (w != by)
			w->changed(w, f->dev, f->ino);
	}
}

static void on_time(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	tell(arg, NULL);
}

static void on_inotify_event(struct folders *all, const struct inotify_event *e)
{
	static const struct timeval delay = { SETTLE_S, 0 };
	char key[KEY_SIZE];
	struct folder *f;

	wd_key(key, e->wd);
	f = map_get(all->by_wd, key);
	if (f && !event_pending(f->settle, EV_TIMEOUT, NULL))
		event_add(f->settle, &delay);
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

struct folders *folders_new(struct event_base *base)
{
	struct folders *all = mem_alloc(sizeof(*all));

	all->base = base;
	all->by_inode = map_new();
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

/* Whoever watches F shall look for itself now and then. */
static void look_often(struct folder *f)
{
	static const struct timeval pause = { LOOK_S, 0 };

	if (f->look)
		return;
	f->look = event_new(f->all->base, -1, EV_PERSIST, on_time, f);
	event_add(f->look, &pause);
}

static void add_inotify(struct folders *all, struct folder *f, int dirfd)
{
	char path[64], key[KEY_SIZE];
	int i;

	for (i = 0; i < SUBDIRS; i++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dirfd,
			 subdirs[i]);
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

static struct folder *folder_new(struct folders *all, dev_t dev, ino_t ino,
				 int dirfd)
{
	struct folder *f = mem_alloc(sizeof(*f));
	char key[KEY_SIZE];

	f->all = all;
	f->dev = dev;
	f->ino = ino;
	LIST_INIT(&f->watches);
	f->settle = evtimer_new(all->base, on_time, f);
	add_inotify(all, f, dirfd);
	inode_key(key, dev, ino);
	map_put(all->by_inode, key, f);
	return f;
}

static void folder_free(struct folders *all, struct folder *f)
{
	char key[KEY_SIZE];
	int i;

	for (i = 0; i < SUBDIRS; i++) {
		if (f->wd[i] < 0)
			continue;
		inotify_rm_watch(all->inotify, f->wd[i]);
		wd_key(key, f->wd[i]);
		map_remove(all->by_wd, key);
	}
	event_free(f->settle);
	if (f->look)
		event_free(f->look);
	inode_key(key, f->dev, f->ino);
	map_remove(all->by_inode, key);
	free(f);
}

bool folders_watch(struct folders *all, struct watch *w, int dirfd)
{
	struct stat st;
	struct folder *f;
	char key[KEY_SIZE];

	folders_unwatch(all, w);
	if (fstat(dirfd, &st) < 0 || !S_ISDIR(st.st_mode))
		return false;
	inode_key(key, st.st_dev, st.st_ino);
	f = map_get(all->by_inode, key);
	if (!f)
		f = folder_new(all, st.st_dev, st.st_ino, dirfd);
	w->folder = f;
	LIST_INSERT_HEAD(&f->watches, w, next);
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

void folders_changed(struct folders *all, dev_t dev, ino_t ino,
		     const struct watch *by)
{
	char key[KEY_SIZE];
	struct folder *f;

	inode_key(key, dev, ino);
	f = map_get(all->by_inode, key);
	if (f)
		tell(f, by);
}
