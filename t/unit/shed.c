/* Who makes room where all places are taken: server/shed.h. The places are
 * played; their process is this one, which does not hear the signal. */
#include "server/shed.h"

#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "tap.h"

#define PLACES 40 /* so up to three are dropped at a time */

static const int64_t long_ms = 60000;

static void take(int i, uint64_t client, int64_t age_ms)
{
	struct board_place *p = board_place(i);

	board_set_pid(p, getpid());
	atomic_store(&p->client, client);
	atomic_store(&p->rest_ms, age_ms ? clock_ms() - age_ms : 0);
}

static bool is_dropped(int i)
{
	return atomic_load(&board_place(i)->rest_ms) < 0;
}

static int count(void)
{
	int n = 0;

	for (int i = 0; i < PLACES; i++)
		n += is_dropped(i);
	return n;
}

static void empty(void)
{
	for (int i = 0; i < PLACES; i++)
		take(i, 0, 0);
}

static void test_choice(void)
{
	take(1, 10, 9 * long_ms);
	take(2, 20, 2 * long_ms);
	take(3, 20, 3 * long_ms);
	take(4, 20, 0); /* its password is checked */
	take(5, 30, 4 * long_ms);
	shed_some(PLACES, false);
	ok(is_dropped(3) && count() == 1,
	   "of the client that has most, the first that came");
	shed_some(PLACES, true);
	ok(is_dropped(1) && !is_dropped(2), "then of all that have one");
	shed_some(PLACES, true);
	ok(is_dropped(5), "more at a time while that is little");
	ok(!is_dropped(4), "who is at work is left alone");
}

static void test_youth(void)
{
	empty();
	take(1, 10, -long_ms + 1);
	take(2, 10, -long_ms);
	take(3, 20, long_ms);
	shed_some(PLACES, false);
	ok(count() == 0, "nobody is dropped in his first second, and while the "
			 "one who has most is so young no other is");
	take(2, 0, 0);
	shed_some(PLACES, false);
	ok(is_dropped(3) && count() == 1, "where each has one, who is older is");
}

static void test_child(void)
{
	struct board_place *me = board_place(7);
	int stop[2];

	empty();
	ok(pipe(stop) == 0, "a stop");
	shed_begin(me, stop[0]);
	take(7, 10, 0);
	shed_rest(clock_ms() - long_ms);
	ok(!shed_is_due() && shed_work() && atomic_load(&me->rest_ms) == 0,
	   "a child goes to work");
	shed_rest(clock_ms() - long_ms);
	shed_some(PLACES, false);
	ok(shed_is_due() && !shed_work(), "or is dropped, and cannot");
	shed_rest(clock_ms());
	ok(shed_is_due(), "which rest does not change");
	shed_end();
	ok(!shed_is_due() && shed_work(), "until its connection is over");
}

int main(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	board_make(PLACES);
	test_choice();
	test_youth();
	test_child();
	return done();
}
