/*
 * The scan takes a file for a message only if a superblock, content, envelope
 * and journal check. What does not check was promised only if its journal says
 * `committed`; else it is a write that a crash cut off, and the slot is junk.
 * What could not be opened for want of memory or descriptors is neither: the
 * scan is done again.
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
#include "base/str.h"
#include "ipc/ipc.h"
#include "log/log.h"
#include "queue-manager/message.h"
#include "queue/id.h"
#include "queue/journal.h"
#include "queue/slot.h"

#define SCAN_AGAIN_MS 1000

struct keeper {
	int sock;
	struct ipc_in in;
	struct ipc_out found, junk, out;
	size_t nfound, njunk;
	DIR *queue, *dir; /* of the scan; NULL when there is none */
	int64_t promised, torn, unused, damaged; /* what it found so far */
	bool missed; /* it could not look at something */
	bool again;  /* so it is repeated soon */
	char dirname[16];
};

static void send(struct keeper *k, struct ipc_out *m)
{
	/* qmgr reads when it can: waiting here holds up nobody */
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
			log_error("cannot make %s: %m", path);
		return -1;
	}
	if (write_zeros(fd))
		return fd;
	*why = err_from_errno(errno) == ERR_NO_SPACE ? "no-space" : "error";
	log_error("cannot fill %s: %m", path);
	close(fd);
	unlink(path);
	return -1;
}

/* Makes the names durable, all in one commit of the file system. Of the zeros
 * nothing depends; but writing is begun, so that blocks are there and the
 * sync of a receiver has no metadata to wait for. */
static bool sync_all(int *fd, size_t n, const char *dir)
{
	for (size_t i = 0; i < n; i++) {
		sync_file_range(fd[i], 0, 0, SYNC_FILE_RANGE_WRITE);
		close(fd[i]);
	}
	return file_sync_dir(dir) == ERR_OK;
}

/* One that is there already, too, may be of a keeper that died before its
 * sync. */
static bool make_dir(const char *dir)
{
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return false;
	return file_sync_dir("queue") == ERR_OK;
}

/* Slots of one folder: qmgr asks for no others at once. */
static size_t make_slots(uint32_t first, size_t count, const char **why)
{
	char dir[QUEUE_PATH_SIZE];
	int fd[KEEPER_BATCH];
	size_t n = 0;

	queue_slot_dir(dir, first);
	if (!make_dir(dir)) {
		*why = err_from_errno(errno) == ERR_NO_SPACE ? "no-space"
							     : "error";
		log_error("cannot make the folder %s: %m", dir);
		return 0;
	}
	while (n < count && (fd[n] = make_file(first + (uint32_t)n, why)) >= 0)
		n++;
	if (n == 0 || sync_all(fd, n, dir))
		return n;
	log_error("cannot sync new slots in %s: %m", dir);
	*why = "error";
	for (size_t i = 0; i < n; i++) {
		queue_slot_path(dir, first + (uint32_t)i);
		unlink(dir);
	}
	return 0;
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
	ipc_begin(&k->out, "made");
	ipc_put_int(&k->out, "first", first);
	ipc_put_int(&k->out, "count", (int64_t)n);
	ipc_put(&k->out, "why", why);
	send(k, &k->out);
}

static void do_remove(struct keeper *k)
{
	for (size_t i = 0; i < k->in.nattrs; i++) {
		char path[QUEUE_PATH_SIZE];
		int64_t number;

		if (!str_to_int(k->in.attr[i].value, 0, QUEUE_SLOT_MAX,
				&number))
			continue;
		queue_slot_path(path, (uint32_t)number);
		if (unlink(path) < 0 && errno != ENOENT)
			log_error("cannot remove %s: %m", path);
	}
}

static void do_corrupt(struct keeper *k)
{
	char path[QUEUE_PATH_SIZE], to[64];
	int64_t number;

	if (!ipc_int(&k->in, "slot", 0, QUEUE_SLOT_MAX, &number))
		return;
	queue_slot_path(path, (uint32_t)number);
	snprintf(to, sizeof(to), "corrupt/%s.%" PRId64, path + 9,
		 (int64_t)clock_wall());
	if (rename(path, to) < 0)
		log_error("cannot move %s to %s: %m", path, to);
	else
		log_error("%s was moved to %s: look at it with "
			  "posthorn-queue(5)",
			  path, to);
}

static void do_scan(struct keeper *k)
{
	if (k->queue)
		closedir(k->queue);
	k->missed = false;
	k->promised = k->torn = k->unused = k->damaged = 0;
	k->queue = opendir("queue");
	k->again = !k->queue;
	if (!k->queue)
		log_error("cannot read the folder queue, tried again: %m");
}

static void flush_junk(struct keeper *k)
{
	if (k->njunk)
		send(k, &k->junk);
	k->njunk = 0;
}

static void flush_found(struct keeper *k)
{
	if (k->nfound)
		send(k, &k->found);
	k->nfound = 0;
}

static void say_junk(struct keeper *k, uint32_t number)
{
	if (k->njunk == 0)
		ipc_begin(&k->junk, "junk");
	ipc_put_int(&k->junk, "slot", number);
	if (++k->njunk == KEEPER_BATCH)
		flush_junk(k);
}

static void say_found(struct keeper *k, uint32_t number,
		      const struct message *m)
{
	char text[128];

	k->promised++;
	if (k->nfound == 0)
		ipc_begin(&k->found, "found");
	snprintf(text, sizeof(text), "%" PRIu32 " %" PRIu32 " %jd %jd %u %d",
		 number, m->super.generation, (intmax_t)message_arrival(m),
		 (intmax_t)m->next, m->attempts, m->held);
	ipc_put(&k->found, "m", text);
	if (++k->nfound == KEEPER_BATCH)
		flush_found(k);
}

static void say_rot(struct keeper *k, uint32_t number, const char *id,
		    const char *why)
{
	k->damaged++;
	ipc_begin(&k->out, "rot");
	ipc_put_int(&k->out, "slot", number);
	ipc_put(&k->out, "id", id);
	ipc_put(&k->out, "why", why);
	send(k, &k->out);
}

static bool see_committed(void *context, int64_t when, const char *const *word,
			  size_t n)
{
	bool *committed = context;

	(void)when, (void)n;
	*committed = *committed || strcmp(word[0], "committed") == 0;
	return !*committed;
}

/* The bytes do not check: were they ever promised? */
static void judge_damaged(struct keeper *k, uint32_t number, int fd,
			  const struct slot_super *s)
{
	bool committed = false;
	off_t end;

	journal_read(fd, s, &end, see_committed, &committed);
	if (committed) {
		say_rot(k, number, s->id, "content or envelope is damaged");
		return;
	}
	log_info("%s: not written to its end before a crash, never promised",
		 s->id);
	k->torn++;
	say_junk(k, number);
}

static void scan_open(struct keeper *k, uint32_t number, int fd)
{
	struct slot_super s;
	struct message m = { .arena = NULL };
	uint32_t slot;
	int err = slot_super_find(fd, &s);

	if (err == ERR_IO) {
		say_rot(k, number, "?", "cannot be read");
		return;
	}
	if (err || s.freed || !queue_id_slot(s.id, &slot) || slot != number) {
		k->unused++;
		say_junk(k, number);
		return;
	}
	err = slot_verify(fd, &s);
	if (err == ERR_CORRUPT) {
		judge_damaged(k, number, fd, &s);
		return;
	}
	err = err ? err : message_load(&m, fd, s.generation, false);
	if (err)
		say_rot(k, number, s.id, err_text(err));
	else
		say_found(k, number, &m);
	message_free(&m);
}

/* PATH cannot be opened. If only for now, the scan is not done without it:
 * what is in it is promised perhaps. */
static void miss(struct keeper *k, const char *path)
{
	bool passes = errno == ENOMEM || err_from_errno(errno) == ERR_TEMP;

	if (errno == ENOENT || errno == ENOTDIR)
		return;
	if (!passes || !k->missed)
		log_error("cannot open %s%s: %m", path,
			  passes ? " now, tried again" : "");
	k->missed = k->missed || passes;
}

static void scan_file(struct keeper *k, const char *name)
{
	char path[QUEUE_PATH_SIZE];
	uint32_t number;
	int fd;

	if (!queue_slot_from_name(name, &number))
		return;
	queue_slot_path(path, number);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) {
		miss(k, path);
		return;
	}
	scan_open(k, number, fd);
	close(fd);
}

static void scan_ends(struct keeper *k)
{
	closedir(k->queue);
	k->queue = NULL;
	flush_found(k);
	flush_junk(k);
	k->again = k->missed;
	if (k->again)
		return;
	ipc_begin(&k->out, "scanned");
	ipc_put_int(&k->out, "promised", k->promised);
	ipc_put_int(&k->out, "torn", k->torn);
	ipc_put_int(&k->out, "unused", k->unused);
	ipc_put_int(&k->out, "damaged", k->damaged);
	send(k, &k->out);
}

/* One step of the scan: a file, or a folder opened. */
static void scan_step(struct keeper *k)
{
	struct dirent *e;
	char path[32];

	if (k->dir) {
		e = readdir(k->dir);
		if (e) {
			scan_file(k, e->d_name);
			return;
		}
		closedir(k->dir);
		k->dir = NULL;
		return;
	}
	e = readdir(k->queue);
	if (!e) {
		scan_ends(k);
		return;
	}
	if (strlen(e->d_name) != 2 || e->d_name[0] == '.')
		return;
	snprintf(path, sizeof(path), "queue/%.2s", e->d_name);
	k->dir = opendir(path);
	if (!k->dir)
		miss(k, path);
}

static const struct {
	const char *verb;
	void (*act)(struct keeper *k);
} requests[] = {
	{ "make", do_make },
	{ "remove", do_remove },
	{ "corrupt", do_corrupt },
	{ "scan", do_scan },
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

int keeper_run(struct qmgr *q, int sock)
{
	struct keeper k = { .sock = sock };

	(void)q;
	for (;;) {
		struct pollfd p = { .fd = sock, .events = POLLIN };

		int wait = k.queue ? 0 : k.again ? SCAN_AGAIN_MS : -1;

		if (poll(&p, 1, wait) > 0)
			serve(&k);
		else if (k.queue)
			scan_step(&k);
		else if (k.again)
			do_scan(&k);
	}
}
