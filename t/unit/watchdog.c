/*
 * Master's watchdog: how long a hang can last, and who is not blamed. The
 * clock is the test's own.
 * link: master/watchdog.c
 */
#include "master/watchdog.h"

#include <stdlib.h>

#include "log/log.h"
#include "master/process.h"
#include "server/link.h"
#include "t/unit/tap.h"

#define TIMEOUT_MS 60000
#define MORE_MS 7000 /* watchdog.h */
#define TURN_MS 1000
#define NEVER INT64_MAX

static struct process victim;
static bool asked;
static int64_t now, killed_ms;

/* The neighbours of watchdog.c. */

struct process *process_first(void)
{
	return &victim;
}

void process_event(struct process *p, enum process_event e)
{
	if (e == OVERDUE && p->state == HUNG)
		killed_ms = now;
	p->state = HUNG;
}

void process_blame(struct process *p, char *text)
{
	(void)p;
	free(text);
}

bool link_ping(int sock)
{
	(void)sock;
	asked = true;
	return true;
}

/* One that serves, at TIMEOUT ms, since 1000 s. */
static void begin(int64_t timeout)
{
	victim = (struct process){ .name = "it", .state = SERVING };
	victim.pid = 1 << 30; /* nobody */
	now = 1000000;
	killed_ms = 0;
	watchdog_set(timeout, now);
}

/* Looks each TURN for MS; it answers until HANGS_MS. */
static void run(int64_t ms, int64_t turn, int64_t hangs_ms)
{
	for (int64_t end = now + ms; now < end && !killed_ms;) {
		now += turn;
		asked = false;
		watchdog_turn(now);
		if (asked && now < hangs_ms)
			victim.asked_ms = 0;
	}
}

/* A hang that begins at any moment. */
static void check_limit(int64_t timeout, int64_t turn)
{
	int64_t longest = 0, shortest = NEVER;

	for (int64_t from = 0; from < 7000; from += 100) {
		int64_t hangs_ms;

		begin(timeout);
		hangs_ms = now + from;
		run(3 * timeout + 10000, turn, hangs_ms);
		if (killed_ms - hangs_ms > longest)
			longest = killed_ms - hangs_ms;
		if (killed_ms - hangs_ms < shortest)
			shortest = killed_ms - hangs_ms;
	}
	ok(killed_ms && longest <= timeout + MORE_MS,
	   "%lld s: a hang ends after %lld ms at most",
	   (long long)timeout / 1000, (long long)longest);
	ok(shortest >= timeout, "%lld s: and not before its time: %lld ms",
	   (long long)timeout / 1000, (long long)shortest);
}

static void check_answers(void)
{
	begin(TIMEOUT_MS);
	run(10 * TIMEOUT_MS, TURN_MS, NEVER);
	ok(victim.state == SERVING, "who answers is left alone");
}

/* It was asked, and has not answered yet, when the machine is suspended. */
static void check_jump(void)
{
	begin(TIMEOUT_MS);
	run(TIMEOUT_MS - 10000, TURN_MS, 0);
	now += 3600000;
	watchdog_turn(now);
	run(TIMEOUT_MS - TURN_MS, TURN_MS, 0);
	ok(victim.state == SERVING,
	   "after a jump of the clock there is the whole time again");
	run(MORE_MS, TURN_MS, 0);
	ok(victim.state == HUNG, "and no more than that");
}

/* Master gets to look each 4 s only: what it slept is not counted. */
static void check_slow(void)
{
	begin(TIMEOUT_MS);
	run(2 * TIMEOUT_MS, 4 * TURN_MS, 0);
	ok(victim.state == SERVING, "master is slow, and so may be others");
	run(4 * TIMEOUT_MS, 4 * TURN_MS, 0);
	ok(victim.state == HUNG, "but a hang is noticed in the end");
}

int main(void)
{
	log_open("test", "/dev/null");
	check_limit(TIMEOUT_MS, TURN_MS);
	check_limit(3000, 250);
	check_answers();
	check_jump();
	check_slow();
	return done();
}
