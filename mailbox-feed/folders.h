/*
 * The watched folders, by their id, and who hears of changes in them, also of
 * those by other programs.
 */
#ifndef MAILBOX_FEED_FOLDERS_H
#define MAILBOX_FEED_FOLDERS_H

#include <event2/event.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "client/feed-packet.h"

struct folders;
struct folder;

/* A watcher of folders: a zeroed member of the watcher's own struct. */
struct watcher {
	LIST_HEAD(, watch) watches;
	size_t n;
	void (*changed)(struct watcher *w, const struct feed_change *c);
};

/* FOREIGN(CONTEXT, …) is called for changes by other programs in a watched
 * folder, before its watchers are told. */
struct folders *folders_new(struct event_base *base,
			    void (*foreign)(void *context,
					    const struct feed_change *c),
			    void *context);

/* From now on W hears of the folder whose token came as FD, too, and at once
 * gets FEED_ANY, since nobody was told of earlier changes. With NAMES it is an
 * INBOX, and W hears of what other programs do to the user's folders. False if
 * it is not a folder's, or W has FEED_WATCHES_MAX. */
bool folders_watch(struct folders *all, struct watcher *w, int fd, bool names);
void folders_unwatch(struct folders *all, struct watcher *w,
		     struct folder_id id);
void folders_unwatch_all(struct folders *all, struct watcher *w);

/* Are all that W watches such that it hears of a change when there is one, and
 * has not to look for itself now and then? */
bool folders_are_told(const struct watcher *w);

/* Tells all watchers of C's folder except BY. */
void folders_changed(struct folders *all, const struct feed_change *c,
		     const struct watcher *by);

#endif
