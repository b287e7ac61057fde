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
	PREPARED,  /* it could serve, and waits for that set to be accepted */
	STARTING,
	SERVING,
	LEAVING, /* it was asked to end */
	HUNG,	 /* it did not answer, and is being killed */
	GONE,
	PROCESS_STATES
};

enum process_event {
	SAID_READY,
	SAID_WHY, /* its last words, or nothing, before it was ready */
	ACCEPTED, /* the set that it was started for is in force */
	REFUSED,  /* and never will be */
	REPLACED, /* another serves from now on */
	STOPPED,  /* nobody is to serve */
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
	int64_t asked_ms; /* since when it owes us an answer, or to be ready,
			   * or its end; or 0 */
	int status;	  /* how it ended */
	bool served;
	int hung; /* so many processes of its own were killed since they hung */
	char *why; /* what ended it, as far as we know; or NULL */
	struct spawn_links links;
	struct event *ready;
	struct event *link;
};

/* Whom the processes tell: called when P has taken a step, with the event that
 * it took it by. After ENDED P is freed. */
typedef void process_told(struct process *p, enum process_event e);

/* Once. From then on SIGCHLD is ours; DONE is called after each. */
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

/* P is to end because of TEXT, which a log and people see. */
void process_blame(struct process *p, char *text);

#endif
