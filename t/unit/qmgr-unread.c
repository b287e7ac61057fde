/*
 * qmgr, when a slot cannot be read for a moment: that is no damage. Nothing is
 * moved or removed, the log says so, the administrator sees the message, and it
 * is delivered when its file can be read again.
 *
 * link: t/lib/bed.c
 * preload: t/lib/unread.c
 */
#include <errno.h>
#include <glob.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "queue/id.h"
#include "t/lib/bed.h"
#include "t/lib/preload.h"
#include "t/unit/tap.h"

#define MESSAGES 3

static char *unread; /* the file that makes it so */

static void fail_with(int errnum)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", errnum);
	err_ignore(file_replace(unread, 0600, text, strlen(text)));
}

static int count_files(const char *pattern)
{
	char *all = mem_printf("%s/queue/%s", bed.dir, pattern);
	glob_t g;
	int n = glob(all, 0, NULL, &g) == 0 ? (int)g.gl_pathc : 0;

	globfree(&g);
	free(all);
	return n;
}

/* So do slots that were made ahead: nobody knows what is in them. */
static bool all_wait(const void *none)
{
	(void)none;
	return bed_in_queue() >= MESSAGES;
}

static char *names[MESSAGES]; /* of the slots, from the queue's folder */

static bool is_each_named(const void *what)
{
	for (int i = 0; i < MESSAGES; i++) {
		char *line = mem_printf("%s: %s", names[i], (const char *)what);
		bool found = bed_is_logged(line);

		free(line);
		if (!found)
			return false;
	}
	return true;
}

static bool is_each_tried(const void *none)
{
	(void)none;
	for (int i = 0; i < MESSAGES; i++) {
		char to[64];

		snprintf(to, sizeof(to), "defer-unread-%d@", i);
		if (!bed_is_recorded(to))
			return false;
	}
	return true;
}

static void post(struct queue_receiver *r)
{
	for (int i = 0; i < MESSAGES; i++) {
		char to[64], name[QUEUE_PATH_SIZE];
		uint32_t slot = 0;

		snprintf(to, sizeof(to), "defer-unread-%d@remote.test", i);
		bed_post(r, "unread", to);
		queue_id_slot(queue_id(r), &slot);
		queue_slot_path(name, slot);
		names[i] = mem_strdup(name);
	}
	bed_wait(is_each_tried, NULL);
}

/* Each way in which the kernel says that it cannot read now. */
static void test_at_start(int errnum)
{
	const char *why = strerror(errnum);
	char *logged = mem_printf("not known yet what is in it: cannot read "
				  "a superblock: %s",
				  why);

	bed_end_qmgr(SIGKILL);
	unlink(bed.log);
	bed_forget_record();
	fail_with(errnum);
	bed_start_qmgr();
	ok(bed_wait(is_each_named, logged), "at start, %s: each is named", why);
	ok(bed_wait(all_wait, NULL), "%s: each still counts", why);
	ok(count_files("corrupt/*") == 0, "%s: nothing is moved", why);
	unlink(unread);
	ok(bed_wait(is_each_tried, NULL), "%s: each is tried afterwards", why);
	ok(count_files("corrupt/*") == 0 && !bed_is_logged("damaged on disk"),
	   "%s: nothing was called damaged", why);
	free(logged);
}

static void test_in_use(int errnum)
{
	const char *why = strerror(errnum);

	bed_end_qmgr(SIGKILL);
	unlink(bed.log);
	bed_forget_record();
	bed_start_qmgr();
	bed_wait(is_each_tried, NULL);
	fail_with(errnum);
	ok(bed_wait(is_each_named, "not tried now"),
	   "in use, %s: each waits, and is named", why);
	ok(count_files("corrupt/*") == 0 && !bed_is_logged("damaged on disk"),
	   "%s: nothing is called damaged", why);
	bed_forget_record();
	unlink(unread);
	ok(bed_wait(is_each_tried, NULL), "%s: each is tried afterwards", why);
}

/* BUILD/t/lib/unread.so, beside BUILD/t/unit/qmgr-unread.t. */
int main(int argc, char **argv)
{
	static const int ways[] = { EIO, ENOMEM, EMFILE };
	struct queue_receiver *r;

	(void)argc;
	r = bed_begin();
	if (!r)
		return 0;
	unread = mem_printf("%s/unread", bed.dir);
	setenv("UNREAD_DIR", bed.dir, 1);
	bed.preload = preload_library(argv[0], "unread");
	post(r);
	queue_receiver_free(&r);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		test_at_start(ways[i]);
		test_in_use(ways[i]);
	}
	for (int i = 0; i < MESSAGES; i++)
		free(names[i]);
	free(unread);
	bed_end(NULL);
	return done();
}
