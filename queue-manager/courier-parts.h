/*
 * Shared by the files that handle connections to deliverers: courier.c (jobs
 * and answers), choose.c (which connection gets a job) and apart.c (slow
 * deliveries).
 */
#ifndef QUEUE_MANAGER_COURIER_PARTS_H
#define QUEUE_MANAGER_COURIER_PARTS_H

#include "queue-manager/active.h"
#include "queue-manager/courier.h"

/* A job that a deliverer has. */
struct handed {
	TAILQ_ENTRY(handed) link;
	uint64_t number;
	struct active *active;
	struct destination *dest;
	const char *sender;
	size_t n;
	unsigned index[];
};

struct courier {
	TAILQ_ENTRY(courier) link;
	struct qmgr *q;
	enum transport transport;
	int sock;
	struct event *event;
	struct destination *dest; /* of its jobs, or of the last one */
	TAILQ_HEAD(, handed) jobs;
	unsigned njobs;
	bool full;	   /* its socket takes no more now */
	bool apart;	   /* its first job is slow: see set_apart */
	unsigned lane;	   /* … and this lane holds it: ready.h */
	enum share share;  /* that it counts among, SHARES: it has no job */
	time_t idle_since; /* tick */
	time_t begun;	   /* its first job: tick */
};

/* A new one for T, without jobs; NULL if there may be no more, or the deliverer
 * cannot be reached now. */
struct courier *courier_new(struct qmgr *q, enum transport t);

/* Has C had its first job for a second or two at most? */
bool courier_is_quick(const struct courier *c);

/* C has another number of jobs, another destination, or is set apart: counts it
 * among those at work. */
void courier_count(struct courier *c);

/* The courier for the next job of D, which may be a new one; NULL: none can
 * take it now. */
struct courier *courier_choose(struct qmgr *q, struct destination *d);

/* How many slow deliveries a sender may have, and still have mail sent to new
 * hosts: as many as others could have yet. So one sender gets half of them. */
int64_t courier_fair(const struct qmgr *q, enum transport t);

/* When there is none for D: may there be one for another of its share? */
bool courier_for_others(const struct qmgr *q, const struct destination *d);

/* How long, in ms, a delivery to D may take before the content is sent: less
 * than after which it would be slow. 0: as long as it takes. */
int64_t apart_patience(const struct qmgr *q, const struct destination *d);

/* If the delivery that C waits for takes so long that others would wait for it,
 * it no longer counts among these, and its destination is slow. */
void apart_if_slow(struct courier *c);

/* Once C's first job has ended: was it quick, where others were slow? */
void apart_note_end(struct courier *c, struct destination *d);

#endif
