/*
 * The folders that somebody watches, by their id, and the one
 * inotify instance that notices foreign programs in them.
 */
#ifndef MAILBOX_FEED_FOLDERS_H
#define MAILBOX_FEED_FOLDERS_H

#include <event2/event.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "client/feed-packet.h"

struct folders;
struct folder;

/* Who watches a folder: a member of the watcher's own struct, zeroed. */
struct watch {
	LIST_ENTRY(watch) next;
	struct folder *folder; /* NULL: none */
	void (*changed)(struct watch *w, const struct feed_change *c);
};

/* FOREIGN(CONTEXT, …) is called for what foreign programs changed in a folder
 * that is watched, before those who watch it are told. */
struct folders *folders_new(struct event_base *base,
			    void (*foreign)(void *context,
					    const struct feed_change *c),
			    void *context);

/* From now on W hears of the folder HANDLE (mailbox/watch.h), and at once of
 * FEED_ANY: what changed before the watch began was told to nobody. False if
 * that is no folder. */
bool folders_watch(struct folders *all, struct watch *w, int handle);
void folders_unwatch(struct folders *all, struct watch *w);

/* Tells all who watch C's folder, but not BY. */
void folders_changed(struct folders *all, const struct feed_change *c,
		     const struct watch *by);

#endif
