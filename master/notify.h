/* Telling systemd how we are (sd_notify(3) is one datagram). */
#ifndef MASTER_NOTIFY_H
#define MASTER_NOTIFY_H

/* Sends STATE, such as "READY=1", to $NOTIFY_SOCKET if there is one. */
void notify_systemd(const char *state);

/* Where systemd wants to hear again and again that master is alive
 * (WatchdogSec=, sd_watchdog_enabled(3)), the loop of BASE says so. */
struct event_base;
void notify_alive(struct event_base *base);

#endif
