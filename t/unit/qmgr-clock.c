/*
 * qmgr under a wall clock that is set while it runs, and while it does not:
 * mail goes on within seconds, and nothing is given up for it.
 *
 * link: t/lib/bed.c
 * preload: t/lib/shift.c
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "t/lib/bed.h"
#include "t/lib/preload.h"
#include "t/unit/tap.h"

#define DAY 86400

static const struct step {
	const char *what;
	int64_t seconds;
} steps[] = {
	{ "a second on", 1 },
	{ "a day on", DAY },
	{ "two days back", -2 * DAY },
	{ "a year on", 365 * (int64_t)DAY },
	{ "ten years back", -3650 * (int64_t)DAY },
};

static int64_t *shift_file(void)
{
	static char path[] = "/tmp/qmgr-shift.XXXXXX";
	int fd = mkstemp(path);
	void *p;

	if (fd < 0 || ftruncate(fd, sizeof(int64_t)) < 0)
		exit(1);
	p = mmap(NULL, sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		 0);
	close(fd);
	if (p == MAP_FAILED)
		exit(1);
	setenv("SHIFT_FILE", path, 1);
	return p;
}

static void new_mail(struct queue_receiver *r, const char *what, size_t i)
{
	char to[64];

	snprintf(to, sizeof(to), "ok-step-%zu@local.test", i);
	while (bed_post(r, "step", to) != ERR_OK)
		usleep(1000);
	ok(bed_wait(bed_is_recorded, to), "%s: new mail goes on", what);
}

static void old_mail(const char *what)
{
	bed_forget_record();
	ok(bed_wait(bed_tried_twice, "defer-old@") &&
		   bed_wait(bed_tried_twice, "down-old@"),
	   "%s: what waits is tried again", what);
	ok(!bed_is_recorded("to=<sender@"), "%s: nothing is given up", what);
}

int main(int argc, char **argv)
{
	int64_t *shift = shift_file(), two = 2;
	struct queue_receiver *r;

	(void)argc;
	bed.preload = preload_library(argv[0], "shift");
	r = bed_begin();
	if (!r)
		return 0;
	bed_post(r, "old", "defer-old@remote.test");
	bed_post(r, "old", "down-old@down.test");
	bed_wait(bed_tried_twice, "down-old@");
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		*shift += steps[i].seconds;
		new_mail(r, steps[i].what, i);
		old_mail(steps[i].what);
	}
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		bed_end_qmgr(SIGTERM);
		*shift += steps[i].seconds;
		bed_start_qmgr();
		bed_wait(bed_has_messages, &two);
		old_mail(steps[i].what);
	}
	bed_end(r);
	unlink(getenv("SHIFT_FILE"));
	return done();
}
