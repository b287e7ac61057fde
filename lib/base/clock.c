#include "base/clock.h"

#include <stdio.h>

int64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_boot(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec;
}

int64_t clock_wall_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

time_t clock_wall(void)
{
	return (time_t)(clock_wall_us() / 1000000);
}

int64_t clock_step(int64_t *state)
{
	int64_t offset_us = clock_wall_us() - clock_ms() * 1000;
	int64_t former_us = *state ? *state : offset_us;

	*state = offset_us;
	return (offset_us - former_us) / 1000000;
}

/* No strftime: names of days and months must not follow the locale. */
static const char days[7][4] = {
	"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"
};
static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
				    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

struct zone {
	char sign;
	int hours;
	int minutes;
};

static struct zone zone_of(const struct tm *t)
{
	long off = t->tm_gmtoff / 60;
	long abs = off < 0 ? -off : off;

	return (struct zone){ off < 0 ? '-' : '+', (int)(abs / 60),
			      (int)(abs % 60) };
}

static struct tm local_time(time_t when)
{
	struct tm t = { 0 };

	if (!localtime_r(&when, &t)) {
		when = 0;
		gmtime_r(&when, &t);
	}
	return t;
}

char *clock_date(char *out, size_t size, time_t when)
{
	struct tm t = local_time(when);
	struct zone z = zone_of(&t);

	snprintf(out, size, "%s, %d %s %d %02d:%02d:%02d %c%02d%02d",
		 days[t.tm_wday], t.tm_mday, months[t.tm_mon], t.tm_year + 1900,
		 t.tm_hour, t.tm_min, t.tm_sec, z.sign, z.hours, z.minutes);
	return out;
}

char *clock_imap_date(char *out, size_t size, time_t when)
{
	struct tm t = local_time(when);
	struct zone z = zone_of(&t);

	snprintf(out, size, "%2d-%s-%04d %02d:%02d:%02d %c%02d%02d", t.tm_mday,
		 months[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min,
		 t.tm_sec, z.sign, z.hours, z.minutes);
	return out;
}

char *clock_mbox_date(char *out, size_t size, time_t when)
{
	struct tm t = local_time(when);

	snprintf(out, size, "%s %s %2d %02d:%02d:%02d %d", days[t.tm_wday],
		 months[t.tm_mon], t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec,
		 t.tm_year + 1900);
	return out;
}

char *clock_log_date(char *out, size_t size, time_t when)
{
	struct tm t = local_time(when);

	snprintf(out, size, "%s %2d %02d:%02d:%02d", months[t.tm_mon],
		 t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec);
	return out;
}
