/*
 * qmgr: what was taken outlives kill -9, and damage on the disk is put aside.
 *
 * link: t/lib/bed.c
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "queue/id.h"
#include "t/lib/bed.h"
#include "t/unit/tap.h"

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

/* Waiting messages survive, and a damaged one is put aside loudly. */
static void test_damage(struct queue_receiver *r)
{
	char path[QUEUE_PATH_SIZE], *full;
	struct buf why;
	uint32_t slot;
	int64_t want = 2, n;
	char *id;
	int fd;

	buf_init(&why, 1000);
	bed_post(r, "kept", "defer-kept@remote.test");
	id = mem_strdup(queue_id(r));
	bed_post(r, "other", "defer-other@remote.test");
	bed_wait(bed_is_recorded, "defer-other@");
	ok(bed_wait(bed_has_messages, &want), "two messages wait");
	sleep(2);
	bed_end_qmgr(SIGTERM);
	queue_id_slot(id, &slot);
	queue_slot_path(path, slot);
	full = mem_printf("%s/queue/%s", bed.dir, path);
	fd = open(full, O_RDWR);
	ok(fd >= 0, "%s is the file of %s", path, id);
	file_pwrite(fd, "X", 1, 32768 + 520);
	file_pwrite(fd, "X", 1, 520);
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

int main(void)
{
	struct queue_receiver *r = bed_begin();

	if (!r)
		return 0;
	test_damage(r);
	test_kill();
	bed_end(r);
	return done();
}
