#include "accountd/resume.h"

#include <event2/event_struct.h>
#include <stdlib.h>
#include <unistd.h>

#include "accountd/elsewhere.h"
#include "accountd/find.h"
#include "accountd/handover.h"
#include "accountd/ticket.h"
#include "base/mem.h"
#include "log/log.h"

struct resume {
	exchange_answer *answer;
	void *context;
	int fd;
	struct ticket ticket;
	struct handover *handover;
	struct event now; /* answers from the loop: */
	enum handover_end end;
	const char *why;
	struct ipc_out out;
};

static const char *const verbs[] = {
	[HANDOVER_TAKEN] = "ok",	[HANDOVER_LATER] = "later",
	[HANDOVER_REFUSED] = "refused", [HANDOVER_MANY] = "refused",
	[HANDOVER_LOST] = "refused",
};

static void on_end(void *context, enum handover_end end, const char *why)
{
	struct resume *r = context;

	r->handover = NULL;
	if (end != HANDOVER_TAKEN && end != HANDOVER_LATER)
		log_warn("a session does not come back: user=%s, client=%s: %s",
			 r->ticket.account.user, r->ticket.client, why);
	ipc_begin(&r->out, verbs[end]);
	r->answer(r->context, &r->out, true);
}

static void on_now(evutil_socket_t fd, short what, void *arg)
{
	struct resume *r = arg;

	(void)fd;
	(void)what;
	on_end(r, r->end, r->why);
}

static void answer_now(struct resume *r, enum handover_end end, const char *why)
{
	const struct timeval now = { 0, 0 };

	r->end = end;
	r->why = why;
	evtimer_add(&r->now, &now);
}

static void hand_over(struct event_base *base, struct resume *r)
{
	struct handover_facts f = { .session = "imap",
				    .account = &r->ticket.account,
				    .client = r->ticket.client,
				    .tls = r->ticket.tls,
				    .tag = "",
				    .pending = "",
				    .state = &r->ticket.state,
				    .fd = r->fd };
	const char *why;

	r->handover = handover_begin(base, &f, on_end, r, &why);
	if (!r->handover)
		answer_now(r, HANDOVER_LATER, "");
}

/* What was true at the login may not be any more. A quota that was changed
 * counts from now on. */
static void look_up(struct event_base *base, struct resume *r)
{
	struct proxy_target target;
	struct account now;
	const char *hash, *why;

	switch (find_login(r->ticket.account.user, &now, &hash)) {
	case ACCOUNT_TEMP:
		answer_now(r, HANDOVER_LATER, "");
		break;
	case ACCOUNT_NONE:
		answer_now(r, HANDOVER_REFUSED, "the user is gone");
		break;
	case ACCOUNT_FOUND:
		if (!ticket_holds(&r->ticket, &now, hash, &why)) {
			answer_now(r, HANDOVER_REFUSED, why);
			break;
		}
		if (elsewhere_find(now.user, ACCOUNT_FOUND, &target) !=
		    ELSEWHERE_HERE) {
			answer_now(r, HANDOVER_REFUSED,
				   "the user is served by another host now");
			break;
		}
		r->ticket.account = now;
		hand_over(base, r);
		break;
	}
}

struct resume *resume_begin(struct event_base *base, struct ipc_in *m,
			    exchange_answer *answer, void *context)
{
	struct resume *r = mem_alloc(sizeof(*r));
	const char *why;

	r->answer = answer;
	r->context = context;
	r->fd = ipc_take_fd(m);
	evtimer_assign(&r->now, base, on_now, r);
	if (!ticket_take(m, r->fd, &r->ticket, &why)) {
		log_warn("a session that was put aside is refused: %s", why);
		resume_free(r);
		return NULL;
	}
	look_up(base, r);
	return r;
}

void resume_free(struct resume *r)
{
	event_del(&r->now);
	if (r->handover)
		handover_cancel(r->handover);
	ticket_free(&r->ticket);
	if (r->fd >= 0)
		close(r->fd);
	ipc_out_free(&r->out);
	free(r);
}
