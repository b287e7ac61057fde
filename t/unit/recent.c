/*
 * Who has to wait for pop3_login_delay.
 * link: accountd/recent.c
 */
#include "accountd/recent.h"

#include <stdio.h>

#include "t/unit/tap.h"

int main(void)
{
	char name[20];
	int waiting = 0;

	recent_begin(0);
	recent_note("a", 1000);
	ok(recent_wait("a", 1000) == 0, "without a delay nobody waits");
	recent_begin(5000);
	ok(recent_wait("a", 1000) == 0, "nor for a first login");
	recent_note("a", 1000);
	ok(recent_wait("a", 1000) == 5000 && recent_wait("a", 5999) == 1,
	   "a second one waits");
	ok(recent_wait("b", 1000) == 0, "nobody else does");
	ok(recent_wait("a", 6000) == 0, "until the time is over");
	recent_note("a", 7000);
	ok(recent_wait("a", 11999) == 1, "each login begins it anew");
	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "u%d", i);
		recent_note(name, 20000 + 10 * i);
	}
	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "u%d", i);
		waiting += recent_wait(name, 119990) > 0;
	}
	ok(waiting == 500, "of many, those of the last seconds: %d", waiting);
	return done();
}
