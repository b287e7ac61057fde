/*
 * Processes of sessions that stay for a while when their session is over, to
 * serve the next one of the same user from the same address. A client that logs
 * in anew for each thing that it does, as webmail does, then costs no new
 * process each time.
 *
 * Such a process is the user already, and confined to the user's Maildir: it
 * serves only who would have become the same user in the same Maildir. It can
 * ask for nothing here, only say that it is free.
 */
#ifndef ACCOUNTD_LINGERING_H
#define ACCOUNTD_LINGERING_H

#include <event2/event.h>
#include <stdint.h>

#include "accountd/handover.h"

struct lingering;

/* None serves longer than MAX_MS milliseconds, however often it is used; 0:
 * none lingers. There may be LIMIT sessions at once, of which those that linger
 * take a part. */
void lingering_begin(struct event_base *base, int64_t max_ms, int64_t limit);

/* No process waits here any more. */
void lingering_drain(void);

/* An entry for the process that will serve F; or NULL: it cannot linger. */
struct lingering *lingering_new(const struct handover_facts *f);

/* The entry of a process that is free for F, or NULL. The caller has it then,
 * and its socket. */
struct lingering *lingering_take(const struct handover_facts *f);
int lingering_socket(const struct lingering *l);

/* The process at the other end of SOCK serves its session now. L and SOCK
 * belong to this part from here on. */
void lingering_keep(struct lingering *l, int sock);

/* Of an entry that the caller has; its socket, if it has one, is closed. */
void lingering_free(struct lingering *l);

#endif
