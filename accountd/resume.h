/*
 * An IMAP session that comes back: the packet `resume` of posthorn-protocol(7).
 * Its ticket is examined (ticket.h), the user is looked up again, and the session
 * is handed over as after a login; or refused, if the user is gone, has another
 * mailbox or another password.
 */
#ifndef ACCOUNTD_RESUME_H
#define ACCOUNTD_RESUME_H

#include <event2/event.h>

#include "accountd/exchange.h"
#include "ipc/ipc.h"

struct resume;

/* Begins with the packet M; ANSWER is called with CONTEXT once, later, and the
 * callee frees the result then. NULL: M is malformed or not genuine, which is
 * logged. */
struct resume *resume_begin(struct event_base *base, struct ipc_in *m,
			    exchange_answer *answer, void *context);
void resume_free(struct resume *r);

#endif
