/*
 * A message is promised by the receiver's sync. Whatever becomes of qmgr then,
 * the client hears so, and the message arrives.
 *
 * link: t/lib/bed.c
 */
#include <glob.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "t/lib/bed.h"
#include "t/unit/tap.h"

/* Is TEXT in a file of the queue? */
static bool is_written(const void *text)
{
	char *pattern = mem_printf("%s/queue/queue/*/*", bed.dir);
	bool found = false;
	glob_t g;

	if (glob(pattern, 0, NULL, &g) != 0)
		g.gl_pathc = 0;
	for (size_t i = 0; i < g.gl_pathc && !found; i++) {
		struct buf b;

		buf_init(&b, 1 << 20);
		found = file_read(g.gl_pathv[i], &b) == ERR_OK &&
			memmem(b.data, b.len, text, strlen(text));
		buf_free(&b);
	}
	globfree(&g);
	free(pattern);
	return found;
}

/* qmgr dies while it owes the answer. */
static void test_no_answer(struct queue_receiver *r)
{
	int status = -1;
	pid_t pid;

	bed_post(r, "before", "ok-before@local.test");
	bed_wait(bed_is_recorded, "ok-before@");
	kill(bed.qmgr, SIGSTOP);
	pid = fork();
	if (pid == 0)
		_exit(bed_post(r, "mark1", "ok-unanswered@local.test"));
	ok(bed_wait(is_written, "Subject: mark1"), "it is written");
	usleep(300000);
	bed_end_qmgr(SIGKILL);
	waitpid(pid, &status, 0);
	ok(status == 0, "qmgr dies before its answer: it is promised");
	bed_start_qmgr();
	ok(bed_wait(bed_is_recorded, "ok-unanswered@"), "and arrives");
}

/* A message that began before qmgr died and ends after the next one has looked
 * through the queue. */
static void test_between(struct queue_receiver *r)
{
	struct envelope_recipient to = { "ok-between@local.test", 0, "" };
	struct envelope e = { .sender = "sender@remote.test",
			      .recipient = &to,
			      .nrecipients = 1,
			      .arrival_us = clock_wall_us() };
	static const char text[] = "Subject: between\r\n\r\n";

	ok(queue_begin(r) == ERR_OK &&
		   queue_write(r, text, strlen(text)) == ERR_OK,
	   "a message is begun");
	bed_end_qmgr(SIGKILL);
	bed_start_qmgr();
	ok(bed_wait(bed_is_empty, NULL), "another qmgr looks at the queue");
	sleep(2);
	ok(queue_commit(r, &e) == ERR_OK, "the message is promised");
	ok(bed_wait(bed_is_recorded, "ok-between@"), "and arrives");
	ok(bed_wait(bed_is_empty, NULL), "nothing is left");
}

/* The receiver dies in between: nothing was promised, and nothing stays. */
static void test_abandoned(struct queue_receiver *r)
{
	pid_t pid = fork();

	if (pid == 0) {
		char text[70000] = "Subject: abandoned\r\n\r\n";

		_exit(queue_begin(r) || queue_write(r, text, sizeof(text)) ||
		      queue_flush(r));
	}
	waitpid(pid, NULL, 0);
	queue_receiver_free(&r);
	ok(bed_wait(bed_is_empty, NULL), "the queue is empty");
	for (int i = 0; i < 100 && is_written("Subject: abandoned"); i++)
		usleep(100000);
	ok(!is_written("Subject: abandoned"), "nor does the file stay");
}

int main(void)
{
	struct queue_receiver *r = bed_begin();

	if (!r)
		return 0;
	test_no_answer(r);
	queue_receiver_free(&r);
	r = queue_receiver_new();
	test_between(r);
	test_abandoned(r);
	bed_end(NULL);
	return done();
}
