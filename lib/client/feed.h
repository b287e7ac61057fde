/*
 * The feed of changes: telling others that a folder changed, and hearing of
 * it. The client of mailbox-feed.
 *
 * A program that changes a folder tells the feed afterwards. A subscriber has
 * one folder or some, each named by a token that proves that it may read it;
 * or, over another socket, all folders of all users.
 *
 * All of this is best effort: without the feed nobody is told, mail is not
 * lost, and watchers must look for themselves now and then. A subscriber that
 * reads too slowly is told that it missed something. The truth is in the
 * folder.
 *
 * A connection is made while the process can still reach the private socket,
 * that is, before it becomes a user. If it is lost later it is not replaced.
 */
#ifndef CLIENT_FEED_H
#define CLIENT_FEED_H

#include <stdbool.h>

#include "client/feed-packet.h"
#include "client/seal.h"

struct feed;

/* Never NULL; connects now, or if that fails at a later call. Waits a fifth of
 * a second at most. */
struct feed *feed_open(void);

/* The same for a subscriber of all folders: call feed_connected before each
 * wait, since nothing else connects it again. */
struct feed *feed_open_all(void);
void feed_close(struct feed **f);

/* Says what changed. Never waits. */
void feed_tell(struct feed *f, const struct feed_change *c);

/* From now on hears of changes of the folder T (instead of the former ones;
 * NULL: none). The first change, FEED_ANY, comes at once, so
 * that the caller looks for what happened before the watch began. False: the
 * feed is not available, look for yourself. */
bool feed_watch(struct feed *f, const struct folder_token *t);

/* The same for one folder more, up to FEED_WATCHES_MAX. With NAMES, for INBOX,
 * it hears also of what other programs do to the user's folders. Waits a second
 * at most. */
bool feed_watch_also(struct feed *f, const struct folder_token *t, bool names);
/* Not of the folder ID any more. */
void feed_unwatch(struct feed *f, struct folder_id id);

/* Is there a connection, perhaps a new one? Never waits. If there was none
 * before, changes were missed. */
bool feed_connected(struct feed *f);

/* Becomes readable when something changed, or the connection ended; -1 if
 * there is none. Ask again after each call: it may have changed. */
int feed_fd(const struct feed *f);

/* The next change, valid until the next call. ERR_BUSY: no more for now.
 * ERR_LIMIT: some were missed since the last call, look at all folders that
 * matter. ERR_EOF: the connection ended, and with it the watch. */
int feed_next(struct feed *f, struct feed_change *c);

/* This is a session of USER's at the address CLIENT, said before the process
 * becomes USER. *PARKED: how many of USER's sessions are parked, and of these
 * from there. Waits a fifth of a second at most. */
struct feed_count {
	unsigned user;
	unsigned pair;
};
void feed_session(struct feed *f, const char *user, const char *client,
		  struct feed_count *parked);

/* A session that is to wait in the feed, without a process, until a folder that
 * it watches changes or its client speaks. */
struct feed_park {
	const char *facts; /* of its ticket (accountd) */
	const void *state; /* of the session: its own matter */
	size_t nstate;
	const struct seal *key; /* seals the state */
	int fd;			/* the client's */
	int64_t wait_ms;	/* after so long a silence … */
	const char *say;	/* … the client is told this, */
	size_t nsay;
	bool last;		/* … and the connection ends; else again */
	const char *stop; /* what it is told if the suite stops */
	size_t nstop;
	const char *refused; /* … if accountd does not let it come back */
	size_t nrefused;
};

/* ERR_OK: it is parked, and this process may not touch the connection any
 * more, only end; from its end on the feed waits. ERR_BUSY: something has
 * changed meanwhile. ERR_LIMIT: it cannot be parked. Or another error, after
 * which, as after these two, the session stays here. */
int feed_park(struct feed *f, const struct feed_park *p);

/* Takes all that came. False: connection and watch have ended. */
bool feed_drain(struct feed *f);

#endif
