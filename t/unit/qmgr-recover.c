/*
 * qmgr: what was taken outlives kill -9, a start finds what is there, and
 * damage on the disk is put aside.
 *
 * link: t/lib/bed.c
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "queue/id.h"
#include "queue/slot.h"
#include "t/lib/bed.h"
#include "t/unit/tap.h"

#define LISTED 400

/* kill -9 again and again while mail flows: nothing that was taken is lost. */
static void test_kill(void)
{
	int taken = 0, lost = 0;
	char *all;

	bed_forget_record();
	for (int round = 0; round < 15; round++) {
		struct queue_receiver *r = queue_receiver_new();

		for (int i = 0; i < 20; i++) {
			char to[64];

			snprintf(to, sizeof(to), "ok-%d-%d@%s.test", round, i,
				 i % 2 ? "local" : "remote");
			if (i == 5 + round % 10) {
				bed_end_qmgr(SIGKILL);
				bed_start_qmgr();
			}
			while (bed_post(r, "kill", to) != ERR_OK)
				usleep(1000);
			taken++;
		}
		queue_receiver_free(&r);
	}
	ok(bed_wait(bed_is_empty, NULL), "after 15 kills it empties");
	all = bed_slurp(bed.record);
	for (int i = 0; i < 300; i++) {
		char to[64];

		snprintf(to, sizeof(to), "ok-%d-%d@", i / 20, i % 20);
		lost += strstr(all, to) == NULL;
	}
	free(all);
	ok(lost == 0, "of %d messages %d are lost", taken, lost);
}

/* Does the journal in the slot PATH say that its message was promised? */
static bool is_sure(const void *path)
{
	struct buf b;
	bool sure;

	buf_init(&b, 1 << 20);
	sure = file_read(path, &b) == ERR_OK &&
	       memmem(b.data, b.len, "committed", 9);
	buf_free(&b);
	return sure;
}

/* Waiting messages survive, and a damaged one is put aside loudly. */
static void test_damage(struct queue_receiver **r)
{
	char path[QUEUE_PATH_SIZE], *full;
	struct buf why;
	uint32_t slot;
	int64_t want = 2, n;
	char *id;
	int fd;

	buf_init(&why, 1000);
	bed_post(*r, "kept", "defer-kept@remote.test");
	id = mem_strdup(queue_id(*r));
	bed_post(*r, "other", "defer-other@remote.test");
	bed_wait(bed_is_recorded, "defer-other@");
	ok(bed_wait(bed_has_messages, &want), "two messages wait");
	queue_id_slot(id, &slot);
	queue_slot_path(path, slot);
	full = mem_printf("%s/queue/%s", bed.dir, path);
	bed_wait(is_sure, full);
	/* as long as it has the slot open it is believed to write it */
	queue_receiver_free(r);
	*r = queue_receiver_new();
	bed_end_qmgr(SIGTERM);
	fd = open(full, O_RDWR);
	ok(fd >= 0, "%s is the file of %s", path, id);
	err_ignore(file_pwrite(fd, "X", 1, 32768 + 520));
	err_ignore(file_pwrite(fd, "X", 1, 520));
	close(fd);
	bed_start_qmgr();
	want = 1;
	ok(bed_wait(bed_has_messages, &want), "the good one is still there");
	ok(bed_wait(bed_is_logged, "damaged on disk"),
	   "the damaged one is spoken of");
	ok(bed_wait(bed_is_logged, "was moved to corrupt/") &&
		   access(full, F_OK) < 0,
	   "and put aside");
	queue_admin_act(bed.public, QUEUE_DELETE, "ALL", &n, &why);
	bed_wait(bed_is_empty, NULL);
	free(full);
	free(id);
	buf_free(&why);
}

/* A promised message in slot NUMBER, as another start left it. */
static void promise(uint32_t number, const char *to)
{
	char name[QUEUE_PATH_SIZE];
	char *path;
	int fd;

	queue_slot_dir(name, number);
	path = mem_printf("%s/queue/%s", bed.dir, name);
	mkdir(path, 0700);
	free(path);
	queue_slot_path(name, number);
	path = mem_printf("%s/queue/%s", bed.dir, name);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || ftruncate(fd, SLOT_SIZE) < 0 ||
	    !bed_write(fd, number, to))
		printf("# cannot make %s\n", path);
	close(fd);
	free(path);
}

/* While the scan is at work new slots are made, at first where there are some
 * already. */
static void test_scan(void)
{
	int lost = 0;
	char *command = mem_printf("rm -rf '%s'/queue/queue/??", bed.dir);
	char *all;

	bed_forget_record();
	bed_end_qmgr(SIGKILL);
	if (system(command) != 0)
		printf("# the queue is not empty\n");
	free(command);
	for (uint32_t i = 0; i < 60; i++) {
		char to[64];

		snprintf(to, sizeof(to), "ok-left-%u@local.test", i);
		promise(i * QUEUE_SLOTS_PER_DIR, to);
	}
	bed_start_qmgr();
	ok(bed_wait(bed_is_empty, NULL), "it empties after a start");
	all = bed_slurp(bed.record);
	for (uint32_t i = 0; i < 60; i++) {
		char to[64];

		snprintf(to, sizeof(to), "ok-left-%u@", i);
		lost += strstr(all, to) == NULL;
	}
	free(all);
	ok(lost == 0, "of 60 messages that were there %d are lost", lost);
}

static bool count(void *context, const struct queue_item *m)
{
	(void)m;
	++*(int *)context;
	return true;
}

/* A list during the scan says that it is not the whole. */
static void test_list(void)
{
	struct queue_summary sum = { .scanning = true };
	int wrong = 0, lists = 0, n;
	struct buf why;

	buf_init(&why, 1000);
	bed_end_qmgr(SIGKILL);
	for (uint32_t i = 0; i < LISTED; i++)
		promise(100 * QUEUE_SLOTS_PER_DIR + i, "defer-x@local.test");
	bed_start_qmgr();
	/* nobody may answer yet */
	for (int64_t end = clock_ms() + 60000;
	     sum.scanning && clock_ms() < end; lists++) {
		n = 0;
		if (queue_admin_list(bed.public, NULL, count, &n, &sum, &why)) {
			sum.scanning = true;
			usleep(1000);
		}
		wrong += !sum.scanning && n != LISTED;
	}
	ok(!sum.scanning && wrong == 0, "of %d lists none lies", lists);
	buf_free(&why);
}

int main(void)
{
	struct queue_receiver *r = bed_begin();

	if (!r)
		return 0;
	test_damage(&r);
	test_kill();
	test_scan();
	test_list();
	bed_end(r);
	return done();
}
