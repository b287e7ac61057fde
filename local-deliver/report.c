/* Results: their text, and their line in the log. */
#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "local-deliver/local.h"

#define REASON_MAX 4096

void settle(struct recipient *r, enum result_status status, const char *dsn,
	    const char *relay, const char *fmt, ...)
{
	struct buf reason;
	va_list ap;

	buf_init(&reason, REASON_MAX);
	va_start(ap, fmt);
	buf_vprintf(&reason, fmt, ap);
	va_end(ap);
	*r->result = (struct result){
		.index = r->job->index,
		.status = status,
		.dsn = dsn,
		.relay = relay,
		.reply = arena_strdup(r->message->arena,
				      reason.over ? "reason too long"
						  : reason.data),
	};
	buf_free(&reason);
	r->detail = NULL;
}

void settle_away(struct recipient *r, const char *what)
{
	settle(r, RESULT_DEFERRED, "4.3.0", "local", "%s", what);
	r->result->flags = RESULT_SOON;
}

/* Seconds with as many digits as are significant, as in Postfix. */
static void put_delay(char *out, size_t size, int64_t us)
{
	double s = us > 0 ? (double)us / 1e6 : 0;

	snprintf(out, size, "%.*g", s < 100 ? 2 : 6, s < 0.01 ? 0 : s);
}

void report(const struct recipient *r)
{
	const struct job *j = r->message->job;
	int64_t now = clock_wall_us(), begun = r->message->begun_us;
	char all[32], waited[32], took[32], delays[128];

	put_delay(all, sizeof(all), now - j->arrival_us);
	put_delay(waited, sizeof(waited), begun - j->arrival_us);
	put_delay(took, sizeof(took), now - begun);
	snprintf(delays, sizeof(delays), "delay=%s, delays=%s/0/0/%s", all,
		 waited, took);
	result_log(j, r->job, r->result, delays,
		   r->detail ? arena_printf(r->message->arena, "%s: %s",
					    r->result->reply, r->detail)
			     : r->result->reply);
}
