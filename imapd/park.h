/*
 * A session whose client is idle is parked: its state is put down, the program
 * mailbox-feed gets it with the client's connection, and the process ends.
 * When the client speaks, or the selected folder changes during IDLE, another
 * process takes the session up as it was (posthorn-protocol(7), FEED).
 *
 * What comes back was sealed by a session of this user on this connection, and
 * is read as if it came from a stranger.
 */
#ifndef IMAPD_PARK_H
#define IMAPD_PARK_H

#include "imapd/session.h"
#include "login/handover.h"

/* How long a session that has been silent since SINCE (clock_ms) may still
 * wait here, at most MS. */
int64_t park_wait(const struct session *s, int64_t since, int64_t ms);

/* Parks it if it was silent long enough. IDLE: that command goes on, else none
 * runs; after WAIT_MS the client is told SAY, again and again with IDLE, else
 * as the connection's end. True: it is parked, and over for this process. */
bool park(struct session *s, int64_t since, bool idle, int64_t wait_ms,
	  const char *say);

/* Takes S up where H says it was. *IDLE: that command goes on. False: that is
 * impossible, and the log says why; the client is told with a BYE. */
bool park_resume(struct session *s, const struct handover *h, bool *idle);

#endif
