/*
 * The helper that handles slot files: it makes and removes them, and scans
 * (scan.c) those that exist at start. judge.c decides what a file is. Only
 * files are removed that keeper was asked to remove, or that it has just made
 * itself and could not finish.
 */
#include "queue-manager/keeper.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/heartbeat.h"
#include "base/str.h"
#include "ipc/ipc.h"
#include "log/log.h"
#include "queue-manager/scan.h"
#include "queue/id.h"
#include "queue/slot.h"

#define ASIDE_TRIES 100 /* names in corrupt/ */

struct keeper {
	int sock;
	struct ipc_in in;
	struct ipc_out out;
	struct scan scan;
	bool failing;	/* slots cannot be made: already logged */
	bool uncounted; /* corrupt/ cannot be read: already logged */
};

static void send(struct keeper *k, struct ipc_out *m)
{
	/* qmgr reads when it can: waiting here delays nobody */
	if (ipc_send(k->sock, m, INT32_MAX) != ERR_OK)
		_exit(0);
}

static bool write_zeros(int fd)
{
	static const char zeros[SLOT_SIZE];

	return file_write(fd, zeros, sizeof(zeros)) == ERR_OK;
}

/* Makes one file with its final size. */
static int make_file(uint32_t number, const char **why)
{
	char path[QUEUE_PATH_SIZE];
	int fd;

	queue_slot_path(path, number);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		*why = errno == EEXIST			       ? "exists"
		       : err_from_errno(errno) == ERR_NO_SPACE ? "no-space"
							       : "error";
		if (errno != EEXIST)
			err_sys("make", path);
		return -1;
	}
	if (write_zeros(fd))
		return fd;
	*why = err_from_errno(errno) == ERR_NO_SPACE ? "no-space" : "error";
	err_sys("fill", path);
	close(fd);
	err_ignore(unlink(path)); /* if it stays, the next scan removes it */
	return -1;
}

/* Makes the names durable, all in one commit of the file system. Nothing
 * depends on the zeros, but write-out is started, so that blocks are allocated
 * and the sync of a receiver need not wait for metadata. */
static bool sync_all(int *fd, size_t n, const char *dir)
{
	for (size_t i = 0; i < n; i++) {
		err_ignore(sync_file_range(fd[i], 0, 0,
					   SYNC_FILE_RANGE_WRITE));
		close(fd[i]);
	}
	return file_sync_dir(dir) == ERR_OK;
}

/* An existing one too may be from a keeper that died before its sync. */
static bool make_dir(const char *dir)
{
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return false;
	return file_sync_dir("queue") == ERR_OK;
}

/* Slots in one folder: qmgr never asks for more at once. */
static size_t make_slots(uint32_t first, size_t count, const char **why)
{
	char dir[QUEUE_PATH_SIZE];
	int fd[KEEPER_BATCH];
	size_t n = 0;

	queue_slot_dir(dir, first);
	if (!make_dir(dir)) {
		*why = err_from_errno(errno) == ERR_NO_SPACE ? "no-space"
							     : "error";
		err_sys("make the folder", dir);
		return 0;
	}
	while (n < count && (fd[n] = make_file(first + (uint32_t)n, why)) >= 0)
		n++;
	if (n == 0 || sync_all(fd, n, dir))
		return n;
	err_sys("sync new slots in", dir);
	*why = "error";
	for (size_t i = 0; i < n; i++) {
		queue_slot_path(dir, first + (uint32_t)i);
		err_ignore(unlink(dir)); /* as make_file */
	}
	return 0;
}

/* Says why slots cannot be made, once: it is tried again each second. */
static void complain(struct keeper *k, const char *why)
{
	bool failed = *why && !str_equal(why, "exists");

	if (failed && !k->failing)
		log_error("no new slots can be made: %s",
			  err_why(err_from_errno(err_errno())));
	k->failing = failed;
}

static void do_make(struct keeper *k)
{
	int64_t first, count;
	const char *why = "";
	size_t n;

	if (!ipc_int(&k->in, "first", 0, QUEUE_SLOT_MAX, &first) ||
	    !ipc_int(&k->in, "count", 1, KEEPER_BATCH, &count))
		return;
	n = make_slots((uint32_t)first, (size_t)count, &why);
	complain(k, why);
	ipc_begin(&k->out, "made");
	ipc_put_int(&k->out, "first", first);
	ipc_put_int(&k->out, "count", (int64_t)n);
	ipc_put(&k->out, "why", why);
	send(k, &k->out);
}

/* Answers VERB for the slots in the request, after reporting all that was
 * found until now. */
static void answer(struct keeper *k, const char *verb)
{
	scan_flush(&k->scan);
	ipc_begin(&k->out, verb);
	for (size_t i = 0; i < k->in.nattrs; i++)
		ipc_put(&k->out, "slot", k->in.attr[i].value);
	send(k, &k->out);
}

/* Calls ACT for each slot that the request names. */
static void for_each(struct keeper *k,
		     void (*act)(struct keeper *k, uint32_t number))
{
	for (size_t i = 0; i < k->in.nattrs; i++) {
		int64_t number;

		if (str_to_int(k->in.attr[i].value, 0, QUEUE_SLOT_MAX, &number))
			act(k, (uint32_t)number);
	}
}

static void remove_one(struct keeper *k, uint32_t number)
{
	char path[QUEUE_PATH_SIZE];

	(void)k;
	queue_slot_path(path, number);
	if (unlink(path) < 0 && errno != ENOENT)
		log_error("cannot remove %s: %m", path);
}

static void do_remove(struct keeper *k)
{
	for_each(k, remove_one);
	answer(k, "anew");
}

/* Moves PATH to a free name in corrupt/. ERR_NOT_FOUND: it is not there. */
static int put_aside(const char *path, char *to, size_t size)
{
	if (mkdir("corrupt", 0700) < 0 && errno != EEXIST)
		return err_sys("make the folder", "corrupt");
	for (int i = 0; i < ASIDE_TRIES; i++) {
		snprintf(to, size, "corrupt/%s.%" PRId64, path + 9,
			 (int64_t)clock_wall() + i);
		if (renameat2(AT_FDCWD, path, AT_FDCWD, to, RENAME_NOREPLACE) ==
		    0)
			return ERR_OK;
		if (errno != EEXIST)
			break;
	}
	return err_sys("move to corrupt/", path);
}

static void put_one_aside(struct keeper *k, uint32_t number)
{
	char path[QUEUE_PATH_SIZE], to[64];
	int err;

	(void)k;
	queue_slot_path(path, number);
	err = put_aside(path, to, sizeof(to));
	if (!err)
		log_error("%s was moved to %s: look at it with "
			  "posthorn-queue(5)",
			  path, to);
	else if (err == ERR_NOT_FOUND)
		log_error("%s", err_why(err));
	else
		log_error("%s; it stays where it is", err_why(err));
}

/* How many files are in corrupt/. */
static int count_corrupt(int64_t *n)
{
	DIR *d = opendir("corrupt");
	struct dirent *e;
	int code;

	*n = 0;
	if (!d)
		return errno == ENOENT ? ERR_OK : err_sys("open", "corrupt/");
	while (!(code = file_next(d, "corrupt/", &e)) && e)
		*n += e->d_name[0] != '.';
	closedir(d);
	return code;
}

/* Without a number it is asked for again: fewer than there are would say that
 * mail waits for nobody. */
static void do_count(struct keeper *k)
{
	int64_t n;
	int code = count_corrupt(&n);

	if (code && !k->uncounted)
		log_error("%s: it is not known how many damaged files wait "
			  "there",
			  err_why(code));
	k->uncounted = code != ERR_OK;
	ipc_begin(&k->out, "counted");
	if (!code)
		ipc_put_int(&k->out, "corrupt", n);
	send(k, &k->out);
}

static void do_corrupt(struct keeper *k)
{
	for_each(k, put_one_aside);
	answer(k, "anew");
	do_count(k);
}

static void look_at_one(struct keeper *k, uint32_t number)
{
	scan_look(&k->scan, number);
}

static void do_look(struct keeper *k)
{
	answer(k, "anew");
	for_each(k, look_at_one);
	answer(k, "looked");
}

static void do_scan(struct keeper *k)
{
	scan_begin(&k->scan);
}

static const struct {
	const char *verb;
	void (*act)(struct keeper *k);
} requests[] = {
	{ "make", do_make }, { "remove", do_remove }, { "corrupt", do_corrupt },
	{ "look", do_look }, { "scan", do_scan },     { "count", do_count },
};

static void serve(struct keeper *k)
{
	int err = ipc_recv(k->sock, &k->in, 0);

	if (err == ERR_BUSY)
		return;
	if (err)
		_exit(0);
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		if (ipc_is(&k->in, requests[i].verb))
			requests[i].act(k);
}

/* How long poll waits for a request. */
static int patience(const struct keeper *k)
{
	return k->scan.queue ? 0 : k->scan.again ? k->scan.pause_ms : -1;
}

int keeper_run(struct qmgr *q, int sock)
{
	struct keeper k = { .sock = sock, .scan = { .sock = sock } };

	(void)q;
	for (;;) {
		struct pollfd p = { .fd = sock, .events = POLLIN };

		if (poll(&p, 1, heartbeat_turn(patience(&k))) > 0)
			serve(&k);
		else if (k.scan.queue)
			scan_step(&k.scan);
		else if (k.scan.again)
			scan_begin(&k.scan);
	}
}
