/*
 * What qmgr and the deliverers (local-deliver, remote-send) say to each
 * other. qmgr connects to the deliverer's socket; one connection is served
 * by one child. It sends `deliver` packets, each one job: a message (a
 * read-only descriptor) and recipients with the same next hop. The deliverer
 * answers each job with one `done` packet, in order, with one result per
 * recipient. qmgr may send further jobs before the answer comes, so that a
 * deliverer need not wait. The deliverer closes the connection when it ends.
 */
#ifndef QMGR_JOB_H
#define QMGR_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "ipc/ipc.h"
#include "queue/envelope.h"
#include "qmgr/result.h"

/* A deliverer has so many times its limit more processes, for those that a slow
 * delivery keeps busy: a command of a user may take minutes, and so may a
 * silent host. */
#define JOB_SLOW_SHARE 3

struct job_recipient {
	unsigned index;		/* of the recipient within the message */
	const char *address;
	const char *orcpt;	/* or "" */
	const char *original;	/* address before expansion, or its own */
	unsigned notify;
};

struct job {
	uint64_t number;	/* chosen by qmgr, comes back in the answer */
	const char *id;		/* queue id */
	int fd;			/* the queue file, for reading */
	off_t offset;		/* content: where and how long */
	off_t length;
	const char *destination; /* domain, or next hop such as "[host]:port" */
	const char *sender;
	const char *envid;
	const char *ret;
	const char *body;
	bool smtputf8;
	int64_t arrival_us;
	int64_t patience_ms;	/* for a host to get as far as the content, then
				 * JOB_DEST_SLOW; 0: what is configured */
	const char *prologue;
	struct job_recipient *recipient;
	size_t nrecipients;
};

/* What the deliverer says about the destination as a whole: qmgr's scheduler
 * wants to know whether to try the next message there. */
enum job_destination {
	JOB_DEST_OK,	/* it answered */
	JOB_DEST_DOWN,	/* could not be reached, or refused the session */
	JOB_DEST_SLOW	/* patience was over: recipients without a result got
			 * nothing, and are to be tried again, with more */
};

/* Packets. job_read takes the descriptor out of M; all else is in A. ERR_OK or
 * ERR_SYNTAX. */
void job_write(struct ipc_out *m, const struct job *j);
int job_read(struct arena *a, struct ipc_in *m, struct job *j);

/* The answer to job J: N results, their recipients by index, each once. *R of
 * job_results_read is in A; its caller checks that every recipient of the job
 * has one, unless the answer is JOB_DEST_SLOW. */
void job_results_write(struct ipc_out *m, const struct job *j,
		       const struct result *r, size_t n,
		       enum job_destination dest);
int job_results_read(struct arena *a, struct ipc_in *m, uint64_t *number,
		     struct result **r, size_t *n,
		     enum job_destination *dest);

#endif
