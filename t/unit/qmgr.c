/*
 * qmgr: what comes in goes out, once, and what happened is told to senders.
 *
 * link: t/lib/bed.c
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "t/lib/bed.h"
#include "t/unit/tap.h"

/* What a receiver hands on for checks cannot be written. */
static void test_read_only(struct queue_receiver *r)
{
	off_t offset, length;
	int fd = -1;

	if (queue_begin(r) == ERR_OK && queue_write(r, "A: b\r\n", 6) == ERR_OK)
		fd = queue_file(r, &offset, &length);
	ok(fd >= 0 && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY &&
		   length == 6,
	   "the slot that a receiver gives to others is open for reading");
	queue_abandon(r);
}

static void test_simple(struct queue_receiver *r)
{
	ok(bed_post(r, "first", "ok@local.test") == ERR_OK,
	   "a message is taken");
	ok(bed_wait(bed_is_recorded, "to=<ok@local.test>"),
	   "and handed to local-deliver");
	ok(bed_wait(bed_is_empty, NULL), "the queue is empty then");
	ok(bed_post(r, "second", "ok@remote.test") == ERR_OK &&
		   bed_wait(bed_is_recorded, "to=<ok@remote.test>"),
	   "one for another domain goes to remote-send");
	ok(bed_occurs(bed.record, "dest=remote.test Subject: second") == 1,
	   "with its domain as destination, and its content");
	ok(bed_post_from(r, "", "big", "ok-big@local.test", 300000, 0) ==
			   ERR_OK &&
		   bed_wait(bed_is_recorded, "to=<ok-big@local.test>"),
	   "a large one is taken and delivered");
	ok(bed_occurs(bed.record, "Subject: big") == 1 &&
		   bed_occurs(bed.record, "...300") == 1,
	   "whole");
	ok(bed_wait(bed_is_empty, NULL), "nothing stays");
}

static void test_many(struct queue_receiver *r)
{
	int good = 0, found;

	bed_forget_record();
	for (int i = 0; i < 200; i++) {
		char to[64];

		snprintf(to, sizeof(to), "ok%d@%s.test", i,
			 i % 2 ? "local" : "remote");
		good += bed_post_from(r, "s@remote.test", "many", to,
				      (size_t)(i % 10) * 5000, 0) == ERR_OK;
	}
	ok(good == 200, "200 messages are taken");
	ok(bed_wait(bed_is_empty, NULL), "and leave");
	found = bed_occurs(bed.record, "Subject: many");
	ok(found == 200, "each once (%d)", found);
}

static void test_results(struct queue_receiver *r)
{
	bed_forget_record();
	ok(bed_post(r, "mixed",
		    "ok@local.test fail@local.test fail@remote.test") == ERR_OK,
	   "a message with recipients that fail is taken");
	ok(bed_wait(bed_is_recorded, "to=<sender@remote.test>"),
	   "its sender gets a bounce");
	ok(bed_occurs(bed.record, "from=<> to=<sender@remote.test>") == 1,
	   "one, from nobody");
	ok(bed_wait(bed_is_empty, NULL), "nothing stays");
	ok(bed_post_from(r, "", "no sender", "fail@local.test", 100, 0) ==
			   ERR_OK &&
		   bed_wait(bed_is_logged, "without a sender: dropped"),
	   "a bounce that fails is dropped with a line in the log");
	ok(bed_post_from(r, "never@remote.test", "never", "fail@local.test",
			 100, NOTIFY_NEVER) == ERR_OK &&
		   bed_wait(bed_is_empty, NULL) &&
		   bed_occurs(bed.record, "to=<never@") == 0,
	   "NOTIFY=NEVER: nobody is told");
	ok(bed_post_from(r, "asks@remote.test", "success", "ok@local.test", 100,
			 NOTIFY_SUCCESS) == ERR_OK &&
		   bed_wait(bed_is_recorded, "to=<asks@remote.test>"),
	   "NOTIFY=SUCCESS: the sender is told");
	bed_forget_record();
	ok(bed_post(r, "a list", "list@local.test") == ERR_OK &&
		   bed_wait(bed_is_recorded, "to=<ok-member1@remote.test>") &&
		   bed_wait(bed_is_recorded, "to=<ok-member2@local.test>"),
	   "a list is expanded");
	ok(bed_wait(bed_is_empty, NULL) &&
		   bed_occurs(bed.record, "to=<list@local.test>") == 1,
	   "and what leads back to itself is not delivered again");
	ok(bed_post(r, "a loop", "loop0@local.test") == ERR_OK &&
		   bed_wait(bed_is_recorded, "to=<sender@remote.test>") &&
		   bed_occurs(bed.record, "to=<loop20@") == 1 &&
		   bed_occurs(bed.record, "to=<loop21@") == 0,
	   "aliases without end come back after 20");
	ok(bed_wait(bed_is_empty, NULL), "nothing stays");
}

/* Addresses that lead to each other, and all are in the envelope. */
static void test_rings(struct queue_receiver *r)
{
	static const char *const envelope[] = {
		"ring1of1@local.test",
		"ring1of2@local.test ring2of2@local.test",
		"ring1of3@local.test ring3of3@local.test ring2of3@local.test",
		"ring2of4@local.test ring4of4@local.test",
	};

	for (size_t i = 0; i < sizeof(envelope) / sizeof(*envelope); i++) {
		bed_forget_record();
		ok(bed_post(r, "a ring", envelope[i]) == ERR_OK &&
			   bed_wait(bed_is_recorded, "to=<sender@remote.test>"),
		   "%s: the sender hears of it", envelope[i]);
	}
	bed_forget_record();
	ok(bed_post(r, "a ring", "ring1of2@local.test ok@local.test") ==
			   ERR_OK &&
		   bed_wait(bed_is_recorded, "to=<ok@local.test>") &&
		   bed_wait(bed_is_recorded, "to=<sender@remote.test>"),
	   "who is beside a ring gets the message");
	ok(bed_wait(bed_is_empty, NULL), "nothing stays");
}

/* The receiver is in this process: its next syncs fail. */
static int failing_syncs;

int fdatasync(int fd)
{
	if (failing_syncs == 0)
		return (int)syscall(SYS_fdatasync, fd);
	failing_syncs--;
	errno = EIO;
	return -1;
}

static bool is_unlinked(const void *fd)
{
	struct stat st;

	return fstat(*(const int *)fd, &st) == 0 && st.st_nlink == 0;
}

/* What a failed sync was to write is lost, though the next one succeeds: no
 * second try, and the slot is never used again. */
static void test_failed_sync(struct queue_receiver *r)
{
	struct envelope_recipient rcpt = { "ok@local.test", 0, "" };
	struct envelope e = { .sender = "",
			      .recipient = &rcpt,
			      .nrecipients = 1,
			      .arrival_us = clock_wall_us() };
	off_t offset, length;
	int fd;

	if (queue_begin(r) || queue_write(r, "A: b\r\n\r\n", 8))
		printf("# no slot\n");
	fd = dup(queue_file(r, &offset, &length));
	failing_syncs = 1;
	ok(queue_commit(r, &e) == ERR_IO && failing_syncs == 0,
	   "a sync that fails: the message is not taken");
	ok(bed_wait(is_unlinked, &fd), "its slot is given up");
	close(fd);
	ok(bed_post(r, "after", "ok@local.test") == ERR_OK &&
		   bed_wait(bed_is_empty, NULL),
	   "the next message has another one");
}

int main(void)
{
	struct queue_receiver *r = bed_begin();

	if (!r)
		return 0;
	test_read_only(r);
	test_simple(r);
	test_many(r);
	test_results(r);
	test_rings(r);
	test_failed_sync(r);
	bed_end(r);
	return done();
}
