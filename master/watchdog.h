/*
 * Are the processes alive? Each is asked now and then (server/link.h); one
 * that does not answer within service_watchdog_timeout, or is not ready within
 * that time after its start, is killed, and what it was doing is logged.
 */
#ifndef MASTER_WATCHDOG_H
#define MASTER_WATCHDOG_H

#include <event2/event.h>
#include <stdint.h>

/* Asks from now on. A second call changes the time. */
void watchdog_begin(struct event_base *base, int64_t timeout_s);

#endif
