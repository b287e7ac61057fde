/* Results: their text, and their line in the log. */
#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "local-deliver/local.h"
#include "log/log.h"

#define REASON_MAX 4096

void settle(struct recipient *r, enum job_status status, const char *dsn,
	    const char *relay, const char *fmt, ...)
{
	struct buf reason;
	va_list ap;

	buf_init(&reason, REASON_MAX);
	va_start(ap, fmt);
	buf_vprintf(&reason, fmt, ap);
	va_end(ap);
	*r->result = (struct job_result){
		.index = r->job->index,
		.status = status,
		.dsn = dsn,
		.relay = relay,
		.reply = arena_strdup(r->message->arena,
				      reason.over ? "reason too long"
						  : reason.data),
	};
	buf_free(&reason);
}

/* Seconds with as many digits as say something, as in Postfix. */
static void put_delay(char *out, size_t size, int64_t us)
{
	double s = us > 0 ? (double)us / 1e6 : 0;

	snprintf(out, size, "%.*g", s < 100 ? 2 : 6, s < 0.01 ? 0 : s);
}

static const char *status_word(const struct job_result *result)
{
	if (*result->dsn == '5')
		return "bounced"; /* or a part of what was expanded */
	return result->status == JOB_DEFERRED ? "deferred" : "sent";
}

void report(const struct recipient *r)
{
	const struct job *j = r->message->job;
	const struct job_result *result = r->result;
	bool expanded = !str_equal_ci(r->job->original, r->job->address) &&
			*r->job->original;
	int64_t now = clock_wall_us(), begun = r->message->begun_us;
	char all[32], waited[32], took[32];

	put_delay(all, sizeof(all), now - j->arrival_us);
	put_delay(waited, sizeof(waited), begun - j->arrival_us);
	put_delay(took, sizeof(took), now - begun);
	log_info("%s: to=<%s>,%s%s%s relay=%s, delay=%s, delays=%s/0/0/%s, "
		 "dsn=%s, status=%s (%s)",
		 j->id, r->job->address, expanded ? " orig_to=<" : "",
		 expanded ? r->job->original : "", expanded ? ">," : "",
		 result->relay, all, waited, took, result->dsn,
		 status_word(result), result->reply);
}
