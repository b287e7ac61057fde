/*
 * The pauses of who guesses passwords: time is an argument, so years pass.
 *
 * link: accountd/guess.c accountd/memo.c
 */
#include "accountd/guess.h"
#include "accountd/memo.h"

#include "tap.h"

#define MINUTE 60000

static int64_t now = 1000000;

/* N failures one after the other, each after its pause; gives the last
 * pause. */
static int64_t fail(const char *client, const char *user, int n)
{
	int64_t wait = 0;
	char password[32];

	for (int i = 0; i < n; i++) {
		wait = guess_wait(client, user, now);
		if (wait < 0)
			return wait;
		now += wait;
		snprintf(password, sizeof(password), "%d-%lld", i,
			 (long long)now);
		guess_failed(client, user, password, now);
	}
	return wait;
}

static void test_growth(void)
{
	ok(guess_wait("192.0.2.1", "ann", now) == 0,
	   "the first attempt does not wait");
	ok(fail("192.0.2.1", "ann", 3) == 0, "nor do the next two");
	ok(fail("192.0.2.1", "ann", 1) == 500, "the pause begins");
	ok(fail("192.0.2.1", "ann", 1) == 1000, "doubles");
	ok(fail("192.0.2.1", "ann", 1) == 2000, "again");
	ok(fail("192.0.2.1", "ann", 5) == 15000, "and has an end");
	ok(guess_wait("192.0.2.77", "zoe", now) > 10000,
	   "others in that network wait, too");
	ok(guess_wait("198.51.100.1", "ann", now) > 10000,
	   "and others who try that name");
	ok(guess_wait("198.51.100.1", "zoe", now) == 0,
	   "another name elsewhere does not");
	now += 20 * MINUTE;
	ok(guess_wait("192.0.2.1", "ann", now) == 0, "time forgives");
}

static void test_parallel(void)
{
	int64_t last = 0;
	bool ordered = true;
	int refused = 0;

	fail("203.0.113.1", "bob", 5);
	for (int i = 0; i < 30; i++) {
		int64_t wait = guess_wait("203.0.113.1", "bob", now);

		refused += wait == GUESS_REFUSED;
		ordered = ordered && (wait == GUESS_REFUSED || wait > last);
		if (wait != GUESS_REFUSED)
			last = wait;
	}
	ok(ordered, "attempts at once are checked one after the other");
	ok(refused > 10 && last <= 30000, "who would wait too long is refused");
	now += 30 * MINUTE;
}

/* The result of an attempt comes while later ones have their turns already. */
static void test_turns(void)
{
	now += 60 * MINUTE;
	fail("198.51.77.1", "ida", 8);
	ok(guess_wait("198.51.77.1", "ida", now) == 15000, "one waits");
	ok(guess_wait("198.51.77.1", "ida", now) == 30000, "then the next");
	now += 15000;
	guess_failed("198.51.77.1", "ida", "the first's", now);
	ok(guess_wait("198.51.77.1", "ida", now) == 30000,
	   "a failure gives nobody the turn of another");
}

static void test_known(void)
{
	guess_succeeded("192.0.2.9", "cleo", now);
	for (int i = 0; i < 40; i++) {
		char client[32];

		snprintf(client, sizeof(client), "10.1.%d.1", i);
		fail(client, "cleo", 1);
	}
	ok(guess_wait("10.2.0.1", "cleo", now) != 0,
	   "guessing from many networks is slowed");
	ok(guess_wait("192.0.2.200", "cleo", now) == 0,
	   "the user's own network is not");
	now += 25 * 60 * MINUTE;
	fail("10.3.0.1", "cleo", 4);
	ok(guess_wait("192.0.2.200", "cleo", now) != 0,
	   "a day later it is like others");
}

static void test_repeat(void)
{
	for (int i = 0; i < 50; i++)
		guess_failed("198.51.100.9", "dan", "the old one", now);
	ok(guess_wait("198.51.100.9", "dan", now) == 0,
	   "one wrong password again and again");
}

static void test_networks(void)
{
	now += 60 * MINUTE;
	fail("2001:db8:1:200::1", "eve", 6);
	now += MINUTE / 60;
	ok(guess_wait("2001:db8:1:2ff:1::2", "fay", now) > 0,
	   "an IPv6 network is a /56");
	ok(guess_wait("2001:db8:1:300::1", "fay", now) == 0, "and no more");
	ok(guess_wait("not an address", "fay", now) == 0,
	   "an address that is none");
}

static void test_flood(void)
{
	now += 60 * MINUTE;
	fail("192.0.2.1", "gus", 8);
	for (int i = 0; i < 100000; i++) {
		char client[32];

		snprintf(client, sizeof(client), "%d.%d.%d.1", 11 + i / 65536,
			 i / 256 % 256, i % 256);
		guess_failed(client, "nobody", client, now);
	}
	ok(guess_wait("192.0.2.1", "gus", now) > 0,
	   "a flood of strangers does not make us forget a stubborn one");
}

/* A table that is flooded by one name's failures, each from elsewhere. */
static void test_flood_of_one(void)
{
	now += 60 * MINUTE;
	guess_succeeded("192.0.2.9", "hal", now);
	for (int i = 0; i < 100000; i++) {
		char client[32];

		snprintf(client, sizeof(client), "%d.%d.%d.1", 11 + i / 65536,
			 i / 256 % 256, i % 256);
		guess_failed(client, "hal", client, now);
		now += i % 1000 == 0 ? MINUTE / 10 : 0;
	}
	ok(guess_wait("192.0.2.7", "hal", now) == 0,
	   "a flood of strangers does not make us forget who is at home");
}

static void test_memo(void)
{
	memo_begin();
	memo_add("ann", "$6$h", "secret", now);
	ok(memo_has("ann", "$6$h", "secret", now),
	   "a right password is remembered");
	ok(!memo_has("ann", "$6$h", "secre", now), "another one is not");
	ok(!memo_has("ann", "$6$i", "secret", now), "a changed hash ends it");
	ok(!memo_has("bob", "$6$h", "secret", now),
	   "another user with all the same is not let in");
	ok(!memo_has("ann$6$h", "", "secret", now),
	   "the parts do not run together");
	ok(!memo_has("ann", "$6$h", "secret", now + 61 * MINUTE),
	   "after an hour it is over");
}

int main(void)
{
	test_growth();
	test_parallel();
	test_turns();
	test_known();
	test_repeat();
	test_networks();
	test_flood();
	test_flood_of_one();
	test_memo();
	return done();
}
