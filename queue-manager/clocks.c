#include "queue-manager/clocks.h"

#include <stdlib.h>

#include "base/clock.h"
#include "log/log.h"

#define STEP_S 2     /* more than this is not drift: the clock was set */
#define PHASE_S 1    /* nor is this: the seconds of the two begin apart */
#define GRACE_S 3600 /* after a start or a step: other clocks may follow */

/* The wall clock jumped from WAS to q->now. */
static void follow_step(struct qmgr *q, time_t was)
{
	struct slot *s;

	for (uint32_t n = 0; (s = store_next(&q->store, n));
	     n = s->number + 1) {
		int64_t age = was - (time_t)s->arrival;

		/* its age as it was, or by the new clock if that is less */
		if (age >= 0 && q->now - (time_t)s->arrival > age)
			s->arrival = (uint32_t)(q->now - age);
		else if ((time_t)s->arrival > q->now)
			s->arrival = (uint32_t)(q->now - (age > 0 ? age : 0));
		if (s->number == UINT32_MAX)
			break;
	}
}

void clocks_read(struct qmgr *q)
{
	time_t expected = q->now - q->tick, step;
	bool first = q->tick == 0;

	q->now = clock_wall();
	q->tick = (time_t)clock_boot();
	step = q->now - q->tick - expected;
	if (first) {
		q->steady_since = q->tick;
		q->wall = q->now - q->tick;
		return;
	}
	if (llabs(q->now - q->tick - q->wall) > PHASE_S)
		q->wall = q->now - q->tick;
	if (llabs(step) <= STEP_S)
		return;
	log_warn("the clock was set by %lld seconds", (long long)step);
	q->steady_since = q->tick;
	follow_step(q, q->now - step);
}

uint32_t clocks_tick_of_try(const struct qmgr *q, time_t when)
{
	int64_t most = q->settings.maximal_backoff * 5 / 4, wait;

	wait = when - q->now;
	if (wait < 0)
		wait = 0;
	if (wait > most)
		wait = most;
	return (uint32_t)(q->tick + wait);
}

time_t clocks_wall(const struct qmgr *q, uint32_t tick)
{
	return q->wall + (time_t)tick;
}

int64_t clocks_age(const struct qmgr *q, const struct slot *slot)
{
	int64_t age = q->now - (time_t)slot->arrival;

	return age > 0 ? age : 0;
}

bool clocks_outlived(const struct qmgr *q, const struct slot *slot,
		     int64_t life)
{
	int64_t grace = life < GRACE_S ? life : GRACE_S;

	return clocks_age(q, slot) >= life &&
	       q->tick - q->steady_since >= grace;
}
