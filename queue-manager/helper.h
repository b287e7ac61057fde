/*
 * A child of qmgr that does what takes time: it makes and removes files, or
 * writes bounces. They exchange packets over a socket pair. A helper that
 * dies, or hangs (server/watch.h), is restarted a second later; it ends when
 * qmgr does.
 */
#ifndef QUEUE_MANAGER_HELPER_H
#define QUEUE_MANAGER_HELPER_H

#include <event2/event.h>
#include <stdbool.h>
#include <sys/types.h>

struct qmgr;

struct helper {
	const char *name;
	struct qmgr *q;
	/* Runs in the child until SOCK ends. */
	int (*run)(struct qmgr *q, int sock);
	/* There are packets to read; reads one. False: nothing was there. */
	bool (*read)(struct qmgr *q);
	/* It was (re)started: earlier requests are forgotten. */
	void (*started)(struct qmgr *q);
	/* It died. */
	void (*died)(struct qmgr *q);

	struct watched *watched;
	int sock;		/* -1 while it is dead */
	pid_t pid;
	int base_fd;		/* descriptors from here on are only for qmgr */
	struct event *event;
	struct event *again;
};

/* Starts it. The first four members and `read`, `started`, `died` are set. */
void helper_start(struct helper *h);

/* Ends it and waits for that, though not for long: it must be idle. */
void helper_stop(struct helper *h);

/* Once a second: kills it if it hangs. */
void helper_look(struct helper *h);

#endif
