/*
 * Time. Deadlines use the monotonic clock, dates the wall clock; neither is
 * ever compared with the other. Dates are written only here: in local time,
 * with days and months in English whatever the locale.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

int64_t clock_ms(void);		/* monotonic, milliseconds */
int64_t clock_boot(void);	/* monotonic, seconds; goes on in sleep */
int64_t clock_wall_us(void);	/* since 1970, microseconds */
time_t clock_wall(void);	/* since 1970, seconds */

/* By how many seconds the wall clock was set since the last call with STATE,
 * which is 0 before the first; negative: back. For code whose intervals go by
 * the wall clock, as in libraries: they are then wrong. */
int64_t clock_step(int64_t *state);

/* "Tue, 24 Nov 2026 02:00:00 +0000" (RFC 5322 section 3.3). SIZE of at least
 * CLOCK_DATE_SIZE; gives OUT. A time outside the calendar is written as the
 * year 1970. The same holds for those below. */
#define CLOCK_DATE_SIZE 40
char *clock_date(char *out, size_t size, time_t when);

/* "24-Nov-2026 02:00:00 +0000" (date-time of RFC 3501 section 9). */
char *clock_imap_date(char *out, size_t size, time_t when);

/* "Tue Nov 24 02:00:00 2026" (like ctime(3); the From line of an mbox). */
char *clock_mbox_date(char *out, size_t size, time_t when);

/* "Nov 24 02:00:00" (a line of a log file, RFC 3164 section 4.1.2). */
char *clock_log_date(char *out, size_t size, time_t when);

#endif
