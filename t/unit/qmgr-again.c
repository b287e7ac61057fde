/*
 * qmgr: a slot that could not be opened is looked at again when the
 * administrator asks for it; a restart is not needed to get the mail in it.
 *
 * link: t/lib/bed.c
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "queue/id.h"
#include "t/lib/bed.h"
#include "t/unit/tap.h"

static char *slot, *kept; /* where the message is, and where it waits */

static bool get_stats(struct queue_stats *s)
{
	struct buf why;
	int err;

	buf_init(&why, 1000);
	err = queue_admin_stats(bed.public, s, &why);
	buf_free(&why);
	return !err && !s->scanning;
}

static bool is_left_alone(const void *none)
{
	struct queue_stats s;

	(void)none;
	return get_stats(&s) && s.strange == 1;
}

static bool is_found(const void *none)
{
	struct queue_stats s;

	(void)none;
	return get_stats(&s) && s.strange == 0 &&
	       s.active + s.waiting + s.held == 1;
}

/* Something that cannot be opened, even by root, is in the slot's place when
 * qmgr starts. */
static void shut(void)
{
	bed_end_qmgr(SIGTERM);
	if (rename(slot, kept) < 0 || symlink(kept, slot) < 0)
		printf("# cannot put a link in place of %s\n", slot);
	bed_start_qmgr();
	ok(bed_wait(is_left_alone, NULL), "a file is left alone");
	ok(bed_in_queue() == 0, "and what is in it is not known");
}

static void mend(void)
{
	if (rename(kept, slot) < 0)
		printf("# cannot put back %s\n", slot);
}

/* When it returns, all files have been looked at. */
static bool flush_all(void)
{
	struct buf why;
	int64_t n;
	int err;

	buf_init(&why, 1000);
	err = queue_admin_act(bed.public, QUEUE_FLUSH, "ALL", &n, &why);
	buf_free(&why);
	return !err;
}

static void test_flush(void)
{
	shut();
	ok(flush_all() && bed_in_queue() == 0, "flush finds nothing");
	ok(bed_wait(is_left_alone, NULL), "and leaves it alone again");
	mend();
	bed_forget_record();
	ok(flush_all() && bed_in_queue() == 1,
	   "once it is mended, flush finds the message");
	ok(bed_wait(bed_is_recorded, "to=<defer-again@"), "and tries it");
	ok(bed_wait(is_found, NULL), "nothing is left alone");
}

static void test_reload(void)
{
	shut();
	mend();
	ok(bed_reload_qmgr() && bed_wait(is_found, NULL),
	   "a reload finds the message, too");
}

static void test_goes_on(struct queue_receiver *r)
{
	shut();
	ok(flush_all(), "the queue is looked through");
	ok(bed_post(r, "meanwhile", "ok-meanwhile@local.test") == ERR_OK &&
		   bed_wait(bed_is_recorded, "to=<ok-meanwhile@"),
	   "while mail goes on");
	mend();
	ok(flush_all() && bed_in_queue() == 1 &&
		   bed_occurs(bed.record, "ok-meanwhile@") == 1,
	   "what was delivered is not found again");
}

int main(void)
{
	struct queue_receiver *r = bed_begin();
	char name[QUEUE_PATH_SIZE];
	uint32_t number = 0;

	if (!r)
		return 0;
	bed_post(r, "waits", "defer-again@remote.test");
	queue_id_slot(queue_id(r), &number);
	queue_slot_path(name, number);
	slot = mem_printf("%s/queue/%s", bed.dir, name);
	kept = mem_printf("%s/kept", bed.dir);
	ok(bed_wait(bed_is_recorded, "to=<defer-again@"), "a message waits");
	queue_receiver_free(&r);
	test_flush();
	test_reload();
	r = queue_receiver_new();
	test_goes_on(r);
	bed_end(r);
	free(slot);
	free(kept);
	return done();
}
