/*
 * Starting, watching and ending the services' processes. A service that ends
 * by itself is started again: at once the first time, later with a delay that
 * doubles up to a minute, and each time with a line in the log.
 */
#ifndef MASTER_RUN_H
#define MASTER_RUN_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "config/config.h"

/* Prepares; BASE is master's loop, CONFIG_PATH goes to the services. CHANGED
 * is called whenever a service became ready or ended for good. */
void run_begin(struct event_base *base, const char *config_path,
	       void (*changed)(void));

/* Opens sockets and starts every service that the configuration wants; at a
 * reload a second instance of each takes over, and services that are no
 * longer wanted end. False with lines in FAULTS if a socket cannot be opened:
 * nothing has changed then. */
bool run_apply(const struct config *c, struct buf *faults);

/* Ends all services, those at the doors first, each stage when the one
 * before is gone. */
void run_stop(void);

/* Are all wanted services ready? Are all gone? */
bool run_all_ready(void);
bool run_all_gone(void);

/* Are all wanted services ready, or do they fail again and again? */
bool run_all_tried(void);

/* One line for each wanted service that is not ready and why, for people. */
void run_not_ready(struct buf *out);

/* One line for each service: "name pid state restarts seconds former why\n";
 * former instances are those that finish their connections, and why it is not
 * ready may be empty. */
void run_status(struct buf *out);

#endif
