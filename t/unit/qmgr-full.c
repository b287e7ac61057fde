/*
 * qmgr on a disk that takes nothing: what was done is not done again, what
 * could not be written down is not begun, and it goes on when there is space.
 * The disk is full by a limit on the size of files, which spares the log and
 * what is at the beginning of a slot.
 *
 * link: t/lib/bed.c
 */
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/err.h"
#include "t/lib/bed.h"
#include "t/unit/tap.h"

#define FULL 33000 /* the superblock's place; its journal is behind */

static void limit(pid_t pid, rlim_t size)
{
	struct rlimit r = { size, RLIM_INFINITY };

	if (prlimit(pid, RLIMIT_FSIZE, &r, NULL) < 0)
		printf("# no limit\n");
}

static int times(const char *to)
{
	return bed_occurs(bed.record, to);
}

/* The slots that R has next are used for the second time: their messages come
 * into the upper half. */
static void use_lower_halves(struct queue_receiver *r)
{
	for (int i = 0; i < 2; i++) {
		if (bed_post(r, "first", "ok-first@local.test") != ERR_OK)
			printf("# no first message\n");
		bed_wait(bed_is_recorded, "ok-first@");
		bed_wait(bed_is_empty, NULL);
		bed_forget_record();
	}
}

static void test_done_once(struct queue_receiver *r)
{
	use_lower_halves(r);
	limit(bed.qmgr, FULL);
	ok(bed_post(r, "parts", "ok-part@local.test defer-part@remote.test") ==
		   ERR_OK,
	   "a message with two ways");
	ok(bed_post(r, "list", "list@local.test defer-list@remote.test") ==
		   ERR_OK,
	   "one with a list");
	ok(bed_wait(bed_is_logged, "cannot be written"), "the log says so");
	bed_wait(bed_is_recorded, "defer-list@");
	sleep(6); /* several backoffs */
	ok(times("ok-part@") == 1 && times("ok-member1@") == 1 &&
		   times("ok-member2@") == 1,
	   "what was delivered is not delivered again");
	limit(bed.qmgr, RLIM_INFINITY);
	ok(bed_wait(bed_tried_twice, "defer-part@") &&
		   bed_wait(bed_tried_twice, "defer-list@"),
	   "with space it goes on");
	ok(bed_is_logged("is written again"), "and the log says so");
	bed_end_qmgr(SIGKILL);
	bed_start_qmgr();
	bed_forget_record();
	bed_wait(bed_is_recorded, "defer-part@");
	bed_wait(bed_is_recorded, "defer-list@");
	ok(times("ok-part@") == 0 && times("ok-member1@") == 0 &&
		   times("list@local") == 0,
	   "what was done is on disk");
}

int main(void)
{
	struct queue_receiver *r;

	signal(SIGXFSZ, SIG_IGN);
	r = bed_begin();
	if (!r)
		return 0;
	test_done_once(r);
	bed_end(r);
	return done();
}
