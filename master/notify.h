/* Telling systemd our state (sd_notify(3) is one datagram). */
#ifndef MASTER_NOTIFY_H
#define MASTER_NOTIFY_H

/* Sends STATE, such as "READY=1", to $NOTIFY_SOCKET if there is one. */
void notify_systemd(const char *state);

/* If systemd wants regular signs that master is alive (WatchdogSec=,
 * sd_watchdog_enabled(3)), the loop of BASE gives them. */
struct event_base;
void notify_alive(struct event_base *base);

#endif
