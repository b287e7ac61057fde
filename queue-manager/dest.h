/*
 * Destinations of mail. Each has a queue of loads (one message's recipients
 * for it) in lanes. A sender's mail is in one of them; the lanes are served in
 * turn, and within each its loads, a part at a time: so many messages of one
 * sender do not delay those of another, nor a list mailing a single letter.
 * (Senders that happen to get the same lane share its turns.) A destination
 * also has a window: how many deliveries may run at once. It grows by one for
 * each window of successes, and shrinks by one with each failure to reach the
 * destination. A destination begins with one delivery, its probe; at window
 * zero it is dead, and rests, longer each time: its mail waits without being
 * tried.
 */
#ifndef QUEUE_MANAGER_DEST_H
#define QUEUE_MANAGER_DEST_H

#include "queue-manager/qmgr.h"
#include "qmgr/result.h"

struct active;

struct load {
	TAILQ_ENTRY(load) in_dest, in_message;
	struct active *active;
	struct destination *dest;
	const char *sender;
	unsigned *index;	/* recipients that wait */
	size_t n, cap;
	uint64_t hash;		/* of the sender */
	unsigned lane;
	bool queued;
};
TAILQ_HEAD(load_list, load);

#define LANES 16

#define DEST_SLOW_S 3600 /* one that was slow counts as slow for so long */

struct destination {
	TAILQ_ENTRY(destination) link;	/* in q->ready or q->idle */
	struct load_list lane[LANES];
	unsigned turn;			/* the lane that is next */
	size_t nloads;			/* in all of them */
	enum transport transport;
	bool in_ready, in_idle;
	enum share ready_share;		/* the list of q->ready … */
	unsigned ready_lane;		/* … that it is in */
	bool blocked;			/* until a job of its own ends */
	bool proven;			/* it was reached since its last rest */
	bool quick;			/* its last job took a second at most */
	double window;
	unsigned busy;			/* jobs that are with deliverers */
	unsigned couriers;		/* connections that have such jobs */
	unsigned failures;		/* rests in a row */
	unsigned refs;			/* waiting messages that point here */
	time_t rests_until;		/* tick */
	time_t slow_until;		/* tick */
	time_t used;			/* tick */
	struct load *newest;		/* the load that was filled last */
	struct result why;		/* it rests: dsn, reply, flags */
	char *key;
	char *name;			/* what the deliverer gets */
};

/* The destination of transport T whose queue is called KEY; made when new.
 * Deliverers get NAME. */
struct destination *dest_get(struct qmgr *q, enum transport t,
			     const char *key, const char *name);

/* A waiting message points to it, or no longer does. */
void dest_ref(struct destination *d);
void dest_unref(struct qmgr *q, struct destination *d);

/* What SENDER's lane is chosen by. Senders that differ only in an extension, as
 * those of a list mailing do (bounces+joe=example.org@), share it. */
uint64_t dest_sender_hash(const char *sender);

/* Adds recipient INDEX of A, whose sender is SENDER, to D's queue. */
void dest_add(struct qmgr *q, struct destination *d, struct active *a,
	      const char *sender, unsigned index);

/* The load whose turn it is, or NULL. */
struct load *dest_next(struct destination *d);

/* N recipients were taken off the end of L: its next turn is after the others,
 * or it leaves the queue. */
void dest_taken(struct qmgr *q, struct load *l, size_t n);

/* Takes L out of its queue, whatever is in it. */
void dest_drop(struct qmgr *q, struct load *l);

/* A delivery ended: DOWN if the destination could not be reached, for the
 * reason in dsn, reply and flags of WHY. */
void dest_feedback(struct qmgr *q, struct destination *d, bool down,
		   const struct result *why);

/* Is it at rest? */
bool dest_rests(const struct qmgr *q, const struct destination *d);

/* Was it slow in the last hour, and not quick since? */
bool dest_is_slow(const struct qmgr *q, const struct destination *d);

/* It is slow; a host, since mailboxes are marked by route_slow. */
void dest_slow(struct qmgr *q, struct destination *d);

/* What its deliveries count among. */
enum share dest_share(const struct qmgr *q, const struct destination *d);

/* Ends the rest of all. */
void dest_wake_all(struct qmgr *q);

/* How many connections may serve it at once; and jobs. */
unsigned dest_concurrency(const struct destination *d);
unsigned dest_jobs_max(const struct destination *d);

/* Puts D into the list of its state. */
void dest_update(struct qmgr *q, struct destination *d);

/* Once a second: forgets what was not used for long. */
void dest_tick(struct qmgr *q);

/* How many there are, and how many of them are at rest, and slow. */
void dest_counts(const struct qmgr *q, int64_t *all, int64_t *dead,
		 int64_t *slow);

#endif
