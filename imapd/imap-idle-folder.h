/*
 * The folders that somebody watches, by device and inode, and the one
 * inotify instance that notices foreign programs in them.
 */
#ifndef IMAPD_IMAP_IDLE_FOLDER_H
#define IMAPD_IMAP_IDLE_FOLDER_H

#include <event2/event.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>

struct folders;
struct folder;

/* Who watches a folder: a member of the watcher's own struct, zeroed. */
struct watch {
	LIST_ENTRY(watch) next;
	struct folder *folder; /* NULL: none */
	void (*changed)(struct watch *w, dev_t dev, ino_t ino);
};

struct folders *folders_new(struct event_base *base);

/* From now on W hears of the folder whose directory is open as DIRFD. False
 * if that is no directory. */
bool folders_watch(struct folders *all, struct watch *w, int dirfd);
void folders_unwatch(struct folders *all, struct watch *w);

/* Tells all who watch DEV, INO, but not BY (may be NULL). */
void folders_changed(struct folders *all, dev_t dev, ino_t ino,
		     const struct watch *by);

#endif
