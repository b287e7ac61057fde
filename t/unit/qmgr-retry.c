/*
 * qmgr: what cannot go out now waits, is tried again, and holds nobody up.
 *
 * link: t/lib/bed.c
 */
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "t/lib/bed.h"
#include "t/unit/tap.h"

static void test_retry(struct queue_receiver *r)
{
	int64_t n, began;
	struct buf why;

	buf_init(&why, 1000);
	bed_forget_record();
	ok(bed_post(r, "later", "defer@remote.test") == ERR_OK &&
		   bed_wait(bed_tried_twice, "to=<defer@remote.test>"),
	   "what is deferred is tried again");
	ok(bed_in_queue() == 1, "and stays in the queue");
	ok(queue_admin_act(bed.public, QUEUE_DELETE, "ALL", &n, &why) ==
			   ERR_OK &&
		   n == 1 && bed_wait(bed_is_empty, NULL),
	   "until it is deleted");
	bed_forget_record();
	began = clock_ms();
	for (int i = 0; i < 20; i++) {
		char to[64];

		snprintf(to, sizeof(to), "down%d@dead.test", i);
		bed_post(r, "dead", to);
	}
	bed_wait(bed_is_recorded, "@dead.test");
	usleep(200000);
	n = bed_occurs(bed.record, "@dead.test");
	/* its rest is a second at least: on a busy machine the twenty may
	 * come in several of them */
	ok(n >= 1 && n <= 1 + (clock_ms() - began + 999) / 1000,
	   "a destination that is down costs one probe a rest (%d)", (int)n);
	queue_admin_act(bed.public, QUEUE_BOUNCE, "ALL", &n, &why);
	ok(bed_wait(bed_is_empty, NULL) &&
		   bed_occurs(bed.record, "to=<sender@remote.test>") == 20,
	   "the administrator gives them up: each sender is told");
	ok(bed_post(r, "deadly", "die@local.test") == ERR_OK,
	   "a deadly message");
	ok(bed_wait(bed_is_logged, "queue active") &&
		   bed_post(r, "after", "ok-after@local.test") == ERR_OK &&
		   bed_wait(bed_is_recorded, "ok-after@"),
	   "does not hold up others");
	queue_admin_act(bed.public, QUEUE_DELETE, "ALL", &n, &why);
	ok(bed_wait(bed_is_empty, NULL), "and can be deleted");
	buf_free(&why);
}

/* Slots of messages that wait are taken from their receiver, and new ones
 * made for it, faster than they were at start. */
static void test_backlog(struct queue_receiver *r)
{
	int64_t want = 300, n;
	struct buf why;
	int good = 0;

	buf_init(&why, 1000);
	for (int i = 0; i < 300; i++)
		good += bed_post(r, "backlog", "down@backlog.test") == ERR_OK;
	ok(good == 300, "300 messages for a dead destination are taken (%d)",
	   good);
	ok(bed_in_queue() == want, "they wait");
	ok(queue_admin_act(bed.public, QUEUE_DELETE, "ALL", &n, &why) ==
			   ERR_OK &&
		   n == 300 && bed_wait(bed_is_empty, NULL),
	   "and are deleted at one word");
	buf_free(&why);
}

/* While one destination rests, what is for another goes out. */
static void test_half(struct queue_receiver *r)
{
	struct buf why;
	int64_t n;
	int good = 0;

	buf_init(&why, 1000);
	bed_post(r, "probe", "down@half.test");
	bed_wait(bed_is_logged, "destination half.test is not tried");
	bed_forget_record();
	while (good < 20 &&
	       bed_post(r, "half", "down@half.test ok@local.test") == ERR_OK)
		good++;
	ok(good == 20 && bed_in_queue() == 21,
	   "messages for one that rests and one that does not (%d)", good);
	while (bed_occurs(bed.record, "to=<ok@local.test>") < 20 &&
	       bed_in_queue() == 21)
		usleep(50000);
	ok(bed_occurs(bed.record, "to=<ok@local.test>") == 20,
	   "the other one gets all of them, once");
	ok(queue_admin_act(bed.public, QUEUE_DELETE, "ALL", &n, &why) ==
			   ERR_OK &&
		   n == 21 && bed_wait(bed_is_empty, NULL),
	   "the rest of them waits");
	buf_free(&why);
}

int main(void)
{
	struct queue_receiver *r = bed_begin();

	if (!r)
		return 0;
	test_retry(r);
	test_backlog(r);
	test_half(r);
	bed_end(r);
	return done();
}
