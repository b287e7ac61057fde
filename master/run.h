/*
 * The services while they run: which process is a service's current one, when
 * one that ended is restarted, what people are told. A service that ends by
 * itself is restarted as the set in force says: at once the first time, later
 * after a delay that doubles up to a minute, and each time with a line in the
 * log.
 */
#ifndef MASTER_RUN_H
#define MASTER_RUN_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "master/process.h"
#include "master/set.h"

struct service {
	const struct service_row *row;
	struct process *current;   /* or NULL; older ones finish beside it */
	struct process *candidate; /* of a reload in progress; or NULL */
	struct event *restart;
	char *why;  /* why it is not ready, by its own words; or NULL */
	char *last; /* what went wrong last: it ended unasked, or one of its
		     * own processes hung; or NULL */
	int failures; /* how often in a row it ended before it served */
	int restarts;
	int delay_ms;
};

/* Prepares; BASE is master's loop. CHANGED is called whenever a service has
 * become ready or a process has ended. */
void run_begin(struct event_base *base, void (*changed)(void));

/* Starts all services of SET, which is in force from now on. */
void run_start(struct set *set);

/* The set in force; run_put_set only replaces it, and gives the former one. */
const struct set *run_set(void);
struct set *run_put_set(struct set *set);

/* The service of row I, and what the set in force says about it. */
struct service *run_service(size_t i);
const struct set_row *run_row(const struct service *s);

/* Is an instance of S serving? */
bool run_serves(const struct service *s);

/* Starts the current process of S, which has none. */
void run_start_service(struct service *s);

/* The current process of S may finish and go. */
void run_retire(struct service *s);

/* Ends all services, those that face clients first, each stage when the one
 * before is gone. */
void run_stop(void);
bool run_stopping(void);

/* Are all wanted services ready? Are all gone? */
bool run_all_ready(void);
bool run_all_gone(void);

/* Are all wanted services ready, or do they fail again and again? */
bool run_all_tried(void);

/* One line for each wanted service that is not ready and why, for people. */
void run_not_ready(struct buf *out);

/* One line for each service: "name pid state restarts seconds former why\n";
 * former instances are those that are finishing their connections; why it is
 * not ready, or was last restarted, or nothing. */
void run_status(struct buf *out);

#endif
