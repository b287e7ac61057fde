/*
 * Dates as the protocols and files want them, in a zone with an odd offset
 * and in times that no calendar has; and a wall clock that is set.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tap.h"

static const struct {
	const char *promise;
	char *(*write)(char *out, size_t size, time_t when);
	time_t when;
	const char *want;
} dates[] = {
	{ "RFC 5322", clock_date, 1764547199,
	  "Sun, 30 Nov 2025 20:29:59 -0330" },
	{ "RFC 5322, a day of one digit", clock_date, 1764565200,
	  "Mon, 1 Dec 2025 01:30:00 -0330" },
	{ "RFC 3501, a day of one digit", clock_imap_date, 1764565200,
	  " 1-Dec-2025 01:30:00 -0330" },
	{ "mbox", clock_mbox_date, 1764565200, "Mon Dec  1 01:30:00 2025" },
	{ "log", clock_log_date, 1764565200, "Dec  1 01:30:00" },
	{ "no calendar has it", clock_mbox_date, INT64_MAX,
	  "Thu Jan  1 00:00:00 1970" },
};

static time_t shift; /* of the wall clock, which is set while we run */

int clock_gettime(clockid_t id, struct timespec *t)
{
	int result = (int)syscall(SYS_clock_gettime, id, t);

	if (id == CLOCK_REALTIME)
		t->tv_sec += shift;
	return result;
}

/* The clock is set by BY; what is said to be seen of that. */
static void check_step(int64_t *state, time_t by, const char *promise)
{
	int64_t seen;

	shift += by;
	seen = clock_step(state);
	ok(seen >= by - 1 && seen <= by + 1, "%s: %lld s", promise,
	   (long long)seen);
}

static void test_steps(void)
{
	int64_t state = 0;

	check_step(&state, 0, "no step at first");
	check_step(&state, 0, "nor where there is none");
	check_step(&state, 86400, "a day forward");
	check_step(&state, 0, "which is told once");
	check_step(&state, -365 * 86400L, "a year back");
	shift = 0;
}

int main(void)
{
	char out[CLOCK_DATE_SIZE];

	setenv("TZ", "NST3:30", 1);
	tzset();
	for (size_t i = 0; i < sizeof(dates) / sizeof(*dates); i++)
		is(dates[i].write(out, sizeof(out), dates[i].when),
		   dates[i].want, dates[i].promise);
	test_steps();
	return done();
}
