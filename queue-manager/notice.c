#include "queue-manager/notice.h"

#include <string.h>

#include "base/err.h"
#include "log/log.h"
#include "queue-manager/active-lists.h"
#include "queue-manager/bouncer.h"
#include "queue-manager/clocks.h"

#define ASKED_MAX \
	(sizeof(((struct qmgr *)NULL)->bouncing) / sizeof(struct active *))

static bool delay_is_due(const struct qmgr *q, const struct active *a)
{
	return q->settings.delay_warning > 0 &&
	       clocks_outlived(q, a->slot, q->settings.delay_warning);
}

static unsigned kinds_needed(const struct qmgr *q, const struct active *a)
{
	unsigned sum = 0;

	for (size_t i = 0; i < a->m.nrcpts; i++)
		for (size_t k = 0; k < TOLD_KINDS; k++)
			if (bouncer_concerns(&a->m.rcpt[i], &told_kinds[k]))
				sum |= told_kinds[k].bit;
	if (!delay_is_due(q, a))
		sum &= ~(unsigned)TOLD_DELAY;
	return sum;
}

bool notice_needed(const struct qmgr *q, struct active *a)
{
	a->kinds = kinds_needed(q, a);
	return a->kinds != 0;
}

static void unlist(struct qmgr *q, struct active *a)
{
	TAILQ_REMOVE(&q->to_bounce, a, bounce);
	a->lists &= ~(unsigned)IN_BOUNCE;
}

/* Asks for A's notices. ERR_BUSY: the bouncer takes no more now. */
static int ask(struct qmgr *q, struct active *a)
{
	int fd = slot_ro(a->slot);

	if (fd < 0)
		return err_sys("open", "the slot");
	ipc_begin(&q->out, "notice");
	ipc_put_int(&q->out, "generation", a->slot->generation);
	ipc_put_int(&q->out, "kinds", a->kinds);
	ipc_put_fd(&q->out, fd);
	return ipc_send(q->bouncer.sock, &q->out, 0);
}

/* Hands requests to the bouncer, as many as it takes. A message whose file
 * cannot be opened waits for its next pass, and does not delay others. */
static void hand_over(struct qmgr *q)
{
	struct active *a;

	while ((a = TAILQ_FIRST(&q->to_bounce)) && q->nbouncing < ASKED_MAX &&
	       q->bouncer.sock >= 0) {
		int err = ask(q, a);

		if (err == ERR_BUSY || err == ERR_EOF)
			return;
		unlist(q, a);
		if (!err) {
			q->bouncing[q->nbouncing++] = a;
			continue;
		}
		log_error("%s: its sender cannot be told now: %s",
			  a->m.super.id, err_why(err));
		active_told(q, a, false);
	}
}

void notice_request(struct qmgr *q, struct active *a)
{
	a->bouncing = true;
	TAILQ_INSERT_TAIL(&q->to_bounce, a, bounce);
	a->lists |= IN_BOUNCE;
	hand_over(q);
}

void notice_note(struct qmgr *q, struct active *a)
{
	(void)q;
	for (size_t k = 0; k < TOLD_KINDS; k++) {
		const char *word[] = { "told", told_kinds[k].name };

		if (a->kinds & told_kinds[k].bit)
			active_record(a, word, 2);
	}
}

void notice_forget(struct qmgr *q, struct active *a)
{
	if (a->lists & IN_BOUNCE)
		unlist(q, a);
}

static void answered(struct qmgr *q, bool good)
{
	struct active *a;

	if (q->nbouncing == 0)
		return;
	a = q->bouncing[0];
	q->nbouncing--;
	memmove(q->bouncing, q->bouncing + 1,
		q->nbouncing * sizeof(q->bouncing[0]));
	active_told(q, a, good);
}

static bool read_packet(struct qmgr *q)
{
	int64_t good = 0;

	if (q->bouncer.sock < 0 ||
	    ipc_recv(q->bouncer.sock, &q->in, 0) != ERR_OK)
		return false;
	ipc_int(&q->in, "good", 0, 1, &good);
	answered(q, good);
	hand_over(q);
	return true;
}

/* It may have died of the first request: that message waits. The other
 * requests are repeated. */
static void on_died(struct qmgr *q)
{
	answered(q, false);
	while (q->nbouncing > 0) {
		struct active *a = q->bouncing[--q->nbouncing];

		TAILQ_INSERT_HEAD(&q->to_bounce, a, bounce);
		a->lists |= IN_BOUNCE;
	}
}

void notice_start(struct qmgr *q)
{
	q->bouncer.name = "bouncer";
	q->bouncer.q = q;
	q->bouncer.run = bouncer_run;
	q->bouncer.read = read_packet;
	q->bouncer.started = hand_over;
	q->bouncer.died = on_died;
	helper_start(&q->bouncer);
}
