/*
 * qmgr: what the scan at start has seen is old news when it ends. A slot that
 * qmgr itself lent meanwhile is no finding, and what a receiver left in one is
 * never lost by it.
 *
 * link: t/lib/bed.c
 * preload: t/lib/gate.c
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "ipc/ipc.h"
#include "queue/id.h"
#include "queue/slot.h"
#include "t/lib/bed.h"
#include "t/lib/preload.h"
#include "t/unit/tap.h"

#define MESSAGES 12 /* fewer than slots that are ready, and than a batch */
#define ROUNDS 3
#define WAIT_MS 60000
#define TAKEN 40 /* a number; those below it are free */

static char *gate(const char *name)
{
	return mem_printf("%s/%s", bed.dir, name);
}

static void shut(const char *name)
{
	char *path = gate(name);

	err_ignore(file_replace(path, 0600, "", 0));
	free(path);
}

static void open_gate(const char *name)
{
	char *path = gate(name);

	unlink(path);
	free(path);
}

static bool is_at_end(const void *none)
{
	char *path = gate("at-end");
	bool is = access(path, F_OK) == 0;

	(void)none;
	free(path);
	return is;
}

/* The queue has one file, so that fewer slots are made than one packet could
 * speak of: nothing is said of them before the scan ends. */
static void start_over(void)
{
	char *command = mem_printf("rm -rf '%s'/queue/queue/?? '%s'/log "
				   "'%s'/at-end",
				   bed.dir, bed.dir, bed.dir);
	char name[QUEUE_PATH_SIZE], *path;
	int fd;

	bed_end_qmgr(SIGKILL);
	bed_forget_record();
	if (system(command) != 0)
		printf("# the queue is not empty\n");
	free(command);
	queue_slot_dir(name, TAKEN);
	path = mem_printf("%s/queue/%s", bed.dir, name);
	mkdir(path, 0700);
	free(path);
	queue_slot_path(name, TAKEN);
	path = mem_printf("%s/queue/%s", bed.dir, name);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || ftruncate(fd, SLOT_SIZE) < 0)
		printf("# cannot make %s\n", path);
	close(fd);
	free(path);
	shut("begin");
	shut("end");
	bed_start_qmgr();
}

/* Messages, each from a receiver that ends then, while nobody delivers. */
static void post_all(void)
{
	for (int i = 0; i < MESSAGES; i++) {
		struct queue_receiver *r = queue_receiver_new();
		char to[64];

		snprintf(to, sizeof(to), "ok-early-%d@local.test", i);
		while (bed_post(r, "early", to) != ERR_OK)
			usleep(1000);
		queue_receiver_free(&r);
	}
}

static bool ask_stats(struct queue_stats *s)
{
	struct buf why;
	int err;

	buf_init(&why, 1000);
	err = queue_admin_stats(bed.public, s, &why);
	buf_free(&why);
	return !err;
}

static bool is_delivered(const void *none)
{
	struct queue_stats s;

	(void)none;
	return ask_stats(&s) && s.active + s.waiting + s.held == 0;
}

/* Why a line that was waited for did not come. */
static void show_log(const char *having)
{
	char *all = bed_slurp(bed.log), *rest = all, *line;

	while ((line = strsep(&rest, "\n")))
		if (strstr(line, having))
			printf("# %s\n", line);
	free(all);
}

static int unused[MESSAGES]; /* files of slots that nothing was written to */
static int nunused;

static int open_slot(uint32_t number)
{
	char name[QUEUE_PATH_SIZE], *path;
	int fd;

	queue_slot_path(name, number);
	path = mem_printf("%s/queue/%s", bed.dir, name);
	fd = open(path, O_RDONLY);
	free(path);
	return fd;
}

/* A receiver that gets a slot, and dies: with TO, when it has synced a message
 * there and told its client so; else before it has written anything. */
static bool leave_one(const char *to)
{
	struct ipc_out out = { .ready = false };
	struct ipc_in in = { .data = NULL };
	int sock = ipc_connect("qmgr"), fd = -1;
	int64_t number = -1;
	bool good;

	ipc_begin(&out, "open");
	good = sock >= 0 && ipc_call(sock, &out, &in, WAIT_MS) == ERR_OK &&
	       ipc_is(&in, "slot") &&
	       ipc_int(&in, "slot", 0, QUEUE_SLOT_MAX, &number) &&
	       (fd = ipc_take_fd(&in)) >= 0 &&
	       (!to ||
		(bed_write(fd, (uint32_t)number, to) && fdatasync(fd) == 0));
	if (good && !to)
		unused[nunused++] = open_slot((uint32_t)number);
	close(fd);
	close(sock);
	ipc_in_free(&in);
	ipc_out_free(&out);
	return good;
}

/* Has qmgr seen that the receivers ended, and removed what they left? */
static bool is_cleared(const void *none)
{
	struct stat st;

	(void)none;
	for (int i = 0; i < nunused; i++)
		if (fstat(unused[i], &st) == 0 && st.st_nlink > 0)
			return false;
	return true;
}

/* What came in, and went, while the scan was at work. */
static void test_gone(void)
{
	int bad = 0;

	start_over();
	kill(bed.deliverer[0], SIGSTOP);
	post_all();
	open_gate("begin");
	ok(bed_wait(is_at_end, NULL), "the scan has seen all messages");
	for (int i = 0; i < MESSAGES; i++)
		bad += !leave_one(NULL);
	ok(bad == 0 && bed_wait(is_cleared, NULL),
	   "receivers get slots, and end without a message");
	kill(bed.deliverer[0], SIGCONT);
	ok(bed_wait(is_delivered, NULL), "they are delivered meanwhile");
	open_gate("end");
	ok(bed_wait(bed_is_empty, NULL), "it ends: the queue is empty");
	ok(bed_wait(bed_is_logged, "scan of the queue done: 0 messages wait, "
				   "0 are held; found: promised 0, torn 0, "
				   "unused 1, damaged 0, left alone 0"),
	   "and it found but the one that was there");
	show_log("scan of");
	sleep(2);
	ok(!bed_is_logged("damaged on disk") &&
		   !bed_is_logged("cannot move to corrupt/"),
	   "nothing is called damaged");
	ok(bed_occurs(bed.record, "to=<ok-early") == MESSAGES,
	   "each was delivered once");
}

static void test_left(int round)
{
	int bad = 0, lost = 0;
	char to[64];

	start_over();
	bed_wait(is_delivered, NULL); /* it serves */
	open_gate("begin");
	ok(bed_wait(is_at_end, NULL), "%d: the scan has seen empty slots",
	   round);
	for (int i = 0; i < MESSAGES; i++) {
		snprintf(to, sizeof(to), "ok-left-%d@local.test", i);
		bad += !leave_one(to);
	}
	ok(bad == 0, "%d: messages are written into them", round);
	is_delivered(NULL); /* qmgr has seen that the receivers died */
	open_gate("end");
	for (int i = 0; i < MESSAGES && !lost; i++) {
		snprintf(to, sizeof(to), "to=<ok-left-%d@", i);
		lost += !bed_wait(bed_is_recorded, to);
	}
	ok(lost == 0, "%d: none is lost", round);
	ok(bed_wait(bed_is_empty, NULL) && !bed_is_logged("damaged on disk"),
	   "%d: and nothing is called damaged", round);
}

static bool all_wait(const void *none)
{
	struct queue_stats s;

	(void)none;
	return ask_stats(&s) && s.waiting == MESSAGES;
}

static void open_gate_soon(const char *name)
{
	if (fork() != 0)
		return;
	usleep(300000);
	open_gate(name);
	_exit(0);
}

/* Who acts while the scan is at work means what it has not found yet, too. */
static void test_asked(void)
{
	struct queue_receiver *r;
	struct buf why;
	int64_t n = 0;
	int err, bad = 0;

	start_over();
	open_gate("begin");
	open_gate("end");
	r = queue_receiver_new();
	for (int i = 0; i < MESSAGES; i++)
		bad += bed_post(r, "asked", "defer-asked@local.test") != ERR_OK;
	queue_receiver_free(&r);
	ok(bad == 0 && bed_wait(all_wait, NULL), "messages wait");
	bed_end_qmgr(SIGKILL);
	shut("begin");
	bed_start_qmgr();
	open_gate_soon("begin");
	buf_init(&why, 1000);
	err = queue_admin_act(bed.public, QUEUE_DELETE, "ALL", &n, &why);
	ok(err == ERR_OK && n == MESSAGES,
	   "who acts on all before they are found gets all: %d (%s)", (int)n,
	   why.data ? why.data : "");
	buf_free(&why);
	ok(bed_wait(bed_is_empty, NULL), "nothing is left");
}

/* BUILD/t/lib/gate.so, beside BUILD/t/unit/qmgr-scan.t. */
int main(int argc, char **argv)
{
	struct queue_receiver *r;

	(void)argc;
	r = bed_begin();
	if (!r)
		return 0;
	queue_receiver_free(&r);
	setenv("GATE_DIR", bed.dir, 1);
	bed.preload = preload_library(argv[0], "gate");
	test_gone();
	for (int round = 0; round < ROUNDS; round++)
		test_left(round);
	test_asked();
	bed_end(NULL);
	return done();
}
