/*
 * A test prints one line a case in the Test Anything Protocol, which prove(1)
 * reads: ok(condition, name), and at the end return done(). What failed is on
 * standard error as well, since prove shows no more than that.
 */
#ifndef T_UNIT_TAP_H
#define T_UNIT_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static struct {
	int run;
	int failed;
} tap;

__attribute__((format(printf, 2, 3))) static inline bool
ok(bool good, const char *fmt, ...)
{
	char name[500];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	printf("%sok %d - %s\n", good ? "" : "not ", ++tap.run, name);
	fflush(stdout);
	if (good)
		return true;
	fprintf(stderr, "# failed: %s\n", name);
	tap.failed++;
	return false;
}

/* Compares strings, NULL included, and shows both if they differ. */
static inline bool is(const char *got, const char *want, const char *name)
{
	bool good = got && want ? strcmp(got, want) == 0 : got == want;

	ok(good, "%s", name);
	if (!good)
		fprintf(stderr, "#  got: %s\n# want: %s\n",
			got ? got : "(null)", want ? want : "(null)");
	return good;
}

static inline int done(void)
{
	printf("1..%d\n", tap.run);
	return tap.failed ? 1 : 0;
}

#endif
