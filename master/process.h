/*
 * One process group of a service, from its start to its end: a state, events,
 * and a table of what each event means in each state (process.c).
 */
#ifndef MASTER_PROCESS_H
#define MASTER_PROCESS_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "master/spawn.h"

struct service;

enum process_state {
	CANDIDATE, /* started for a set that is not in force yet */
	PREPARED,  /* it is ready, and waits for that set to be accepted */
	STARTING,
	SERVING,
	LEAVING, /* it was asked to end */
	HUNG,	 /* it did not answer, and is being killed */
	GONE,
	PROCESS_STATES
};

enum process_event {
	SAID_READY,
	SAID_WHY, /* it sent last words, or closed, before it was ready */
	ACCEPTED, /* the set that it was started for is in force */
	REFUSED,  /* … and never will be */
	REPLACED, /* another serves from now on */
	STOPPED,  /* no process is to serve */
	OVERDUE,  /* it has not answered, or not been ready, in time */
	LOST_ONE, /* a process of its own hung, and was killed by it */
	ENDED,	  /* the kernel says so */
	PROCESS_EVENTS
};

struct process {
	struct process *next;
	struct service *service;
	const char *name; /* of the service */
	pid_t pid;
	enum process_state state;
	int64_t since_ms; /* when it was started */
	int64_t asked_ms; /* since when an answer, its readiness, or its end
			   * is due; or 0 */
	int status;	  /* how it ended */
	bool served;
	int hung; /* how many of its own processes were killed for hanging */
	char *why; /* what ended it, as far as we know; or NULL */
	struct spawn_links links;
	struct event *ready;
	struct event *link;
};

/* Called when P has taken a step, with the event that caused it. After ENDED P
 * is freed. */
typedef void process_told(struct process *p, enum process_event e);

/* Call it once. From then on SIGCHLD is ours; DONE is called after each. */
void process_begin(struct event_base *base, process_told *tell,
		   void (*done)(void));

/* Starts one of S. CANDIDATE waits for ACCEPTED before it serves; AGAIN: a
 * former one serves. NULL with errno. */
struct process *process_start(const struct spawn *set, bool again,
			      bool candidate, struct service *service,
			      const char *name);

void process_event(struct process *p, enum process_event e);

/* All of them. */
struct process *process_first(void);

/* Records TEXT as why P is to end, for the log and for people. */
void process_blame(struct process *p, char *text);

#endif
