/*
 * qmgr: whoever is slow, dead or away holds up nobody else, and mail waits no
 * longer for a part of our own than that is away.
 *
 * link: t/lib/bed.c
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "t/lib/bed.h"
#include "t/unit/tap.h"

#define MANY 150   /* more than connections wait at a socket */
#define QUICK 8000 /* ms: one blocking connect takes ten seconds */

/* A deliverer that takes no connection. */
static void test_stopped(struct queue_receiver *r)
{
	int64_t begin, took;
	int bad = 0;

	kill(bed.deliverer[0], SIGSTOP);
	for (int i = 0; i < MANY; i++) {
		char to[64];

		snprintf(to, sizeof(to), "ok-user%d@local.test", i);
		bad += bed_post(r, "local", to) != ERR_OK;
	}
	ok(bad == 0, "mail is taken while local-deliver stands still");
	begin = clock_ms();
	bad = bed_post(r, "remote", "ok-quick@remote.test");
	ok(bad == ERR_OK && bed_wait(bed_is_recorded, "ok-quick@"),
	   "remote mail goes on");
	took = clock_ms() - begin;
	ok(took < QUICK, "at once: %lld ms", (long long)took);
	kill(bed.deliverer[0], SIGCONT);
	ok(bed_wait(bed_is_empty, NULL), "then local mail does, too");
	ok(bed_occurs(bed.record, "to=<ok-user") == MANY, "each once");
}

/* With waits of minutes. */
static void test_away(struct queue_receiver *r)
{
	static const char text[] = "minimal_backoff_time = 300s\n"
				   "maximal_backoff_time = 600s\n";
	char *path = mem_printf("%s/posthorn.conf", bed.dir);
	int fd = open(path, O_WRONLY | O_APPEND);

	ok(write(fd, text, strlen(text)) == (ssize_t)strlen(text),
	   "backoffs of minutes");
	close(fd);
	free(path);
	bed_end_qmgr(SIGTERM);
	bed_start_qmgr();
	while (bed_post(r, "away", "away-now@local.test") != ERR_OK)
		usleep(1000);
	ok(bed_wait(bed_tried_twice, "away-now@"),
	   "what a part of ours was missing for is tried again soon");
	bed_post(r, "defer", "defer-long@local.test");
	bed_wait(bed_is_recorded, "defer-long@");
	sleep(5);
	ok(!bed_tried_twice("defer-long@"), "all else is not");
}

int main(void)
{
	struct queue_receiver *r = bed_begin();

	if (!r)
		return 0;
	test_stopped(r);
	test_away(r);
	bed_end(r);
	return done();
}
