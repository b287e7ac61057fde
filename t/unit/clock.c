/*
 * Dates as the protocols and files want them, in a zone with an odd offset
 * and in times that no calendar has.
 */
#include <stdint.h>
#include <stdlib.h>

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

int main(void)
{
	char out[CLOCK_DATE_SIZE];

	setenv("TZ", "NST3:30", 1);
	tzset();
	for (size_t i = 0; i < sizeof(dates) / sizeof(*dates); i++)
		is(dates[i].write(out, sizeof(out), dates[i].when),
		   dates[i].want, dates[i].promise);
	return done();
}
