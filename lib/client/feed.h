/*
 * The feed of changes: telling others that a folder changed, and hearing of
 * it. The client of mailbox-feed.
 *
 * Whoever changes a folder tells the feed after it is done. A subscriber has
 * one folder, named by a handle that proves that it may look at it; or, over
 * another socket, all folders of all users.
 *
 * All is best effort: without the feed nobody is told, mail is not lost, and
 * whoever watches must look for itself now and then. A subscriber that reads
 * too slowly is told that it missed something. What is true is in the folder.
 *
 * A connection is made while the process may still reach the private socket,
 * that is before it becomes a user. One that is lost later is not replaced.
 */
#ifndef CLIENT_FEED_H
#define CLIENT_FEED_H

#include <stdbool.h>

#include "client/feed-packet.h"

struct feed;

/* Never NULL; connects now, and again at a later call if that failed. Waits
 * a fifth of a second at most. */
struct feed *feed_open(void);

/* The same for a subscriber of all folders: call feed_connected before each
 * wait, since nothing else connects it again. */
struct feed *feed_open_all(void);
void feed_close(struct feed **f);

/* Says what changed. Never waits. */
void feed_tell(struct feed *f, const struct feed_change *c);

/* From now on hears of changes of the folder HANDLE (mailbox/watch.h; instead
 * of the former; -1: of none). The first change, of FEED_ANY, comes at once:
 * what happened before the watch began is found by looking then. False: the
 * feed is away, look for yourself. */
bool feed_watch(struct feed *f, int handle);

/* Is there a connection, perhaps a new one? Never waits. Whoever had none
 * before has missed changes. */
bool feed_connected(struct feed *f);

/* Becomes readable when something changed, or the connection ended; -1 if
 * there is none. Ask again after each call: it may have changed. */
int feed_fd(const struct feed *f);

/* The next change, valid until the next call. ERR_BUSY: no more for now.
 * ERR_LIMIT: some were missed since the last call, look at all folders that
 * matter. ERR_EOF: the connection ended, and with it the watch. */
int feed_next(struct feed *f, struct feed_change *c);

/* Takes all that came. False: the connection ended, and with it the watch. */
bool feed_drain(struct feed *f);

#endif
