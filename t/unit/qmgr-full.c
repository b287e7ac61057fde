/*
 * qmgr on a disk that takes nothing: what was done is not done again, what
 * could not be written down is not begun, and it goes on when there is space.
 * The disk is full by a limit on the size of files, which spares the log and
 * what is at the beginning of a slot; or by a library that has no space.
 *
 * link: t/lib/bed.c
 * preload: t/lib/full.c
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "t/lib/bed.h"
#include "t/lib/preload.h"
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

/* Has a pass been refused *N times? */
static bool is_refused(const void *n)
{
	return bed_occurs(bed.log, "not tried now: cannot reserve space") >=
	       *(const int *)n;
}

/* A message that waits begins no pass whose results could not be written. */
static void test_not_begun(struct queue_receiver *r)
{
	char *full = mem_printf("%s/full", bed.dir);
	int before, once = 1, again = 3;

	bed_post(r, "wait", "defer-wait@remote.test");
	bed_wait(bed_is_recorded, "defer-wait@");
	err_ignore(file_replace(full, 0600, "", 0));
	ok(bed_wait(is_refused, &once), "space cannot be reserved");
	before = times("defer-wait@");
	ok(bed_wait(is_refused, &again) && times("defer-wait@") == before,
	   "so nothing is tried");
	unlink(full);
	bed_forget_record();
	ok(bed_wait(bed_is_recorded, "defer-wait@"), "until there is some");
	free(full);
}

/* BUILD/t/lib/full.so, beside BUILD/t/unit/qmgr-full.t. */
int main(int argc, char **argv)
{
	struct queue_receiver *r;

	(void)argc;
	signal(SIGXFSZ, SIG_IGN);
	r = bed_begin();
	if (!r)
		return 0;
	test_done_once(r);
	setenv("FULL_DIR", bed.dir, 1);
	bed.preload = preload_library(argv[0], "full");
	bed_end_qmgr(SIGTERM);
	bed_start_qmgr();
	test_not_begun(r);
	bed_end(r);
	return done();
}
