#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "remote-send/transaction.h"

void outcome_fail(struct delivery *d, size_t i, const struct fault *f)
{
	struct outcome *o = &d->outcome[i];

	o->decided = true;
	o->result = (struct result){
		.index = d->job->recipient[i].index,
		.status = f->permanent ? RESULT_FAILED : RESULT_DEFERRED,
		.dsn = arena_strdup(d->arena, f->dsn),
		.reply = arena_strdup(d->arena,
				      *f->remote ? f->remote : f->text),
		.relay = arena_strdup(d->arena, f->relay),
		.flags = (*f->remote ? RESULT_REMOTE : 0) |
			 (f->ours ? RESULT_SOON : 0),
	};
	o->log = arena_strdup(d->arena, f->text);
}

void outcome_fail_all(struct delivery *d, const struct fault *f)
{
	for (size_t i = 0; i < d->job->nrecipients; i++) {
		const struct outcome *o = &d->outcome[i];

		if (!o->decided)
			outcome_fail(d, i, o->refusal ? o->refusal : f);
	}
}

void outcome_refuse(struct delivery *d, size_t i, const struct fault *f)
{
	struct fault *copy;

	if (f->permanent || d->last) {
		outcome_fail(d, i, f);
		return;
	}
	copy = arena_alloc(d->arena, sizeof(*copy));
	*copy = *f;
	d->outcome[i].refusal = copy;
}

void outcome_refuse_all(struct delivery *d, const struct fault *f)
{
	for (size_t i = 0; i < d->job->nrecipients; i++)
		if (!d->outcome[i].decided)
			outcome_refuse(d, i, f);
}

void outcome_refuse_accepted(struct delivery *d, const struct fault *f)
{
	for (size_t i = 0; i < d->job->nrecipients; i++)
		if (!d->outcome[i].decided && d->outcome[i].accepted)
			outcome_refuse(d, i, f);
}

void outcome_fail_accepted(struct delivery *d, const struct fault *f)
{
	for (size_t i = 0; i < d->job->nrecipients; i++)
		if (!d->outcome[i].decided && d->outcome[i].accepted)
			outcome_fail(d, i, f);
}

void outcome_sent(struct delivery *d, const struct reply *r, const char *relay,
		  bool dsn_passed)
{
	struct result result = {
		.status = RESULT_SENT,
		.dsn = arena_strdup(d->arena, r->dsn),
		.reply = arena_strdup(d->arena, r->text),
		.relay = arena_strdup(d->arena, relay),
		.flags = RESULT_REMOTE | (dsn_passed ? RESULT_DSN_PASSED : 0),
	};

	for (size_t i = 0; i < d->job->nrecipients; i++) {
		struct outcome *o = &d->outcome[i];

		if (o->decided || !o->accepted)
			continue;
		o->decided = true;
		o->result = result;
		o->result.index = d->job->recipient[i].index;
		o->log = result.reply;
	}
}

bool outcome_any_left(const struct delivery *d)
{
	for (size_t i = 0; i < d->job->nrecipients; i++)
		if (!d->outcome[i].decided)
			return true;
	return false;
}

/* Seconds as Postfix writes them: two significant digits, not below 0.01. */
static void seconds(char *out, size_t size, double s)
{
	if (s < 0.005)
		snprintf(out, size, "0");
	else if (s < 10)
		snprintf(out, size, "%.*g", s < 0.095 ? 1 : 2, s);
	else
		snprintf(out, size, "%.0f", s);
}

/* "delay=a, delays=b/c/d/e": in all; before the queue manager and in it (which
 * are one here, hence 0); connecting; sending. */
static void put_delays(char *out, size_t size, const struct delivery *d)
{
	int64_t now = clock_ms();
	double all = (double)(clock_wall_us() - d->job->arrival_us) / 1e6;
	double ours = (double)(now - d->begun_ms) / 1e3;
	int64_t connected = d->connected_ms ? d->connected_ms : now;
	char part[4][32];

	seconds(part[0], sizeof(part[0]), all > ours ? all : ours);
	seconds(part[1], sizeof(part[1]), all > ours ? all - ours : 0);
	seconds(part[2], sizeof(part[2]),
		(double)(connected - d->begun_ms) / 1e3);
	seconds(part[3], sizeof(part[3]), (double)(now - connected) / 1e3);
	snprintf(out, size, "delay=%s, delays=%s/0/%s/%s", part[0], part[1],
		 part[2], part[3]);
}

void outcome_log(const struct delivery *d)
{
	char delays[200];

	put_delays(delays, sizeof(delays), d);
	for (size_t i = 0; i < d->job->nrecipients; i++) {
		if (!d->outcome[i].decided)
			continue;
		result_log(d->job, &d->job->recipient[i], &d->outcome[i].result,
			   delays, d->outcome[i].log);
	}
}
