/*
 * One login: the SASL exchange, its turn among the guesses, the check of the
 * password, and the hand-over to the session, if one is wanted.
 *
 * Every failure is answered no sooner than half a second after the last
 * response came, so that a name that does not exist, a user without password
 * and a wrong password look alike from outside, whatever the check cost.
 */
#ifndef ACCOUNTD_EXCHANGE_H
#define ACCOUNTD_EXCHANGE_H

#include <event2/event.h>
#include <stdbool.h>

#include "ipc/ipc.h"

struct exchange;

/* Sends the answer M. OVER: it was the last one; the callee frees the exchange
 * when control returns to the loop, not at once. */
typedef void exchange_answer(void *context, const struct ipc_out *m, bool over);

/* Called once: the loop, and whether passwords of system users can be
 * checked. */
void exchange_setup(struct event_base *base, bool pam);

/* Begins with the packet `auth`. NULL if it is malformed. */
struct exchange *exchange_begin(struct ipc_in *m, exchange_answer *answer,
				void *context);

/* Takes the packet `step`. False if it is malformed, or none was asked for. */
bool exchange_step(struct exchange *x, const struct ipc_in *m);

/* Ends it at any stage, and wipes its secrets. */
void exchange_free(struct exchange *x);

#endif
