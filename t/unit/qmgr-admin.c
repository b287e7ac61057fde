/*
 * qmgr: what the administrator asks and does, and a reload.
 *
 * link: t/lib/bed.c
 */
#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "t/lib/bed.h"
#include "t/unit/tap.h"

struct seen {
	int n;
	char id[64], address[64], reason[64];
	enum queue_state state;
};

static bool see(void *context, const struct queue_item *m)
{
	struct seen *s = context;

	s->n++;
	s->state = m->state;
	str_copy(s->id, sizeof(s->id), m->id);
	if (m->nrecipients) {
		str_copy(s->address, sizeof(s->address),
			 m->recipient[0].address);
		str_copy(s->reason, sizeof(s->reason), m->recipient[0].reason);
	}
	return true;
}

static bool is_held(const void *arg)
{
	struct seen s = { .n = 0 };
	struct queue_summary sum;
	struct buf why;

	(void)arg;
	buf_init(&why, 1000);
	queue_admin_list(bed.public, NULL, see, &s, &sum, &why);
	buf_free(&why);
	return s.n == 1 && s.state == QUEUE_HELD;
}

static void test_admin(struct queue_receiver *r)
{
	struct seen s = { .n = 0 };
	struct queue_summary sum;
	struct buf why, text;
	off_t offset, length;
	char data[32] = "";
	int64_t n;
	int fd;

	buf_init(&why, 1000);
	buf_init(&text, 1 << 20);
	bed_forget_record();
	bed_post(r, "shown", "defer2@remote.test");
	bed_wait(bed_tried_twice, "defer2@");
	ok(queue_admin_list(bed.public, NULL, see, &s, &sum, &why) == ERR_OK &&
		   s.n == 1,
	   "list shows a message");
	is(s.address, "defer2@remote.test", "with its recipient");
	is(s.reason, "come again", "and why it waits");
	ok(queue_admin_act(bed.public, QUEUE_HOLD, s.id, &n, &why) == ERR_OK &&
		   n == 1 && bed_wait(is_held, NULL),
	   "hold");
	bed_end_qmgr(SIGKILL);
	bed_start_qmgr();
	ok(bed_wait(is_held, NULL), "it is held after a crash, too");
	ok(queue_admin_show(bed.public, s.id, &text, &fd, &offset, &length,
			    &why) == ERR_OK &&
		   strstr(text.data, "rcpt defer2@remote.test") != NULL,
	   "show");
	ok(fd >= 0 && file_pread(fd, data, 14, offset) == ERR_OK &&
		   strcmp(data, "Subject: shown") == 0,
	   "with the content");
	bed_forget_record();
	ok(queue_admin_act(bed.public, QUEUE_RELEASE, s.id, &n, &why) ==
			   ERR_OK &&
		   bed_wait(bed_is_recorded, "defer2@"),
	   "release: it is tried at once");
	ok(queue_admin_act(bed.public, QUEUE_DELETE, s.id, &n, &why) ==
			   ERR_OK &&
		   bed_wait(bed_is_empty, NULL),
	   "delete");
	ok(queue_admin_act(bed.public, QUEUE_DELETE, s.id, &n, &why) ==
		   ERR_NOT_FOUND,
	   "what is not there is not found: %s", why.data);
	close(fd);
	buf_free(&why);
	buf_free(&text);
}

/* Hold, and release before the delivery that was under way has ended. */
static void test_hold_active(struct queue_receiver *r)
{
	struct buf why;
	int64_t n;

	buf_init(&why, 1000);
	bed_forget_record();
	kill(bed.deliverer[1], SIGSTOP);
	bed_post(r, "under way", "defer3@remote.test");
	ok(queue_admin_act(bed.public, QUEUE_HOLD, "ALL", &n, &why) == ERR_OK &&
		   n == 1,
	   "a message that is being delivered is to be held");
	ok(queue_admin_act(bed.public, QUEUE_RELEASE, "ALL", &n, &why) ==
			   ERR_OK &&
		   n == 1,
	   "… and is not, if it is released before");
	kill(bed.deliverer[1], SIGCONT);
	ok(bed_wait(bed_tried_twice, "defer3@"), "… but tried again");
	queue_admin_act(bed.public, QUEUE_DELETE, "ALL", &n, &why);
	bed_wait(bed_is_empty, NULL);
	buf_free(&why);
}

#define QUEUED 12 /* messages, more than */
#define IN_JOBS 4 /* the deliverers have at once */

static void queue_many(struct queue_receiver *r, const char *name)
{
	char to[64];

	for (int i = 0; i < QUEUED; i++) {
		snprintf(to, sizeof(to), "ok-%s%d@%s.test", name, i, name);
		while (bed_post(r, name, to) != ERR_OK)
			usleep(1000);
	}
}

static bool few_are_left(const void *none)
{
	int64_t n = bed_in_queue();

	(void)none;
	return n >= 0 && n <= IN_JOBS;
}

static bool most_are_held(const void *none)
{
	struct queue_stats s;
	struct buf why;
	int err;

	(void)none;
	buf_init(&why, 1000);
	err = queue_admin_stats(bed.public, &s, &why);
	buf_free(&why);
	return !err && s.held >= QUEUED - IN_JOBS;
}

/* What is only queued for a deliverer is taken back at once. */
static void test_take_back(struct queue_receiver *r)
{
	struct buf why;
	int64_t n = 0;

	buf_init(&why, 1000);
	bed_forget_record();
	kill(bed.deliverer[1], SIGSTOP);
	queue_many(r, "deleted");
	queue_admin_act(bed.public, QUEUE_DELETE, "ALL", &n, &why);
	ok(n == QUEUED && bed_wait(few_are_left, NULL),
	   "what no deliverer has is deleted at once");
	queue_many(r, "kept");
	queue_admin_act(bed.public, QUEUE_HOLD, "ALL", &n, &why);
	ok(n >= QUEUED && bed_wait(most_are_held, NULL), "… or held");
	kill(bed.deliverer[1], SIGCONT);
	queue_admin_act(bed.public, QUEUE_DELETE, "ALL", &n, &why);
	ok(bed_wait(bed_is_empty, NULL) &&
		   bed_occurs(bed.record, "to=<ok-deleted") <= IN_JOBS &&
		   bed_occurs(bed.record, "to=<ok-kept") <= IN_JOBS,
	   "… and not delivered");
	buf_free(&why);
}

static int count_descriptors(void)
{
	char *path = mem_printf("/proc/%d/fd", (int)bed.qmgr);
	DIR *d = opendir(path);
	int n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	free(path);
	return n;
}

static bool all_wait(const void *none)
{
	struct queue_stats s;
	struct buf why;
	int err;

	(void)none;
	buf_init(&why, 1000);
	err = queue_admin_stats(bed.public, &s, &why);
	buf_free(&why);
	return !err && s.waiting == QUEUED;
}

/* Of a message that waits or is held no file stays open. */
static void test_hold_many(struct queue_receiver *r)
{
	struct buf why;
	int64_t n = 0;
	int before;

	buf_init(&why, 1000);
	for (int i = 0; i < QUEUED; i++)
		bed_post(r, "many", "defer4@remote.test");
	bed_wait(all_wait, NULL);
	before = count_descriptors();
	queue_admin_act(bed.public, QUEUE_HOLD, "ALL", &n, &why);
	ok(before > 2 && n == QUEUED && count_descriptors() < before + QUEUED,
	   "messages are held, and no file stays open");
	queue_admin_act(bed.public, QUEUE_DELETE, "ALL", &n, &why);
	bed_wait(bed_is_empty, NULL);
	buf_free(&why);
}

static bool is_reloaded(const void *arg)
{
	(void)arg;
	return bed_occurs(bed.log, "configuration read again") > 0;
}

/* A reload and the death of helpers: the same process goes on. */
static void test_reload(struct queue_receiver *r)
{
	char *cmd =
		mem_printf("kill -9 $(ps -o pid= --ppid %d)", (int)bed.qmgr);

	bed_forget_record();
	ok(bed_reload_qmgr() && bed_wait(is_reloaded, NULL),
	   "another configuration is taken");
	sleep(2);
	ok(bed_post(r, "reloaded", "fail@remote.test") == ERR_OK &&
		   bed_wait(bed_is_recorded, "to=<sender@remote.test>"),
	   "mail and bounces go on");
	ok(system(cmd) == 0, "both helpers are killed");
	ok(bed_post(r, "helpless", "fail2@remote.test") == ERR_OK &&
		   bed_wait(bed_tried_twice, "to=<sender@remote.test>"),
	   "they come back, and bounces with them");
	ok(bed_wait(bed_is_empty, NULL), "nothing stays");
	free(cmd);
}

int main(void)
{
	struct queue_receiver *r = bed_begin();

	if (!r)
		return 0;
	test_admin(r);
	test_hold_active(r);
	test_take_back(r);
	test_hold_many(r);
	test_reload(r);
	bed_end(r);
	return done();
}
