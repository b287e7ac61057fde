/*
 * A file that could not be examined for lack of memory or descriptors may be a
 * promised message: then the scan is repeated.
 */
#include "queue-manager/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "log/log.h"
#include "queue-manager/judge.h"
#include "queue-manager/keeper.h"
#include "queue/id.h"

/* Before the scan is repeated: doubled each time, since it reads all files. */
#define PAUSE_FIRST_MS 1000
#define PAUSE_MAX_MS 60000

static void send(struct scan *s, struct ipc_out *m)
{
	/* qmgr reads when it can: waiting here delays nobody */
	if (ipc_send(s->sock, m, INT32_MAX) != ERR_OK)
		_exit(0);
}

static void flush_junk(struct scan *s)
{
	if (s->njunk)
		send(s, &s->junk);
	s->njunk = 0;
}

static void flush_found(struct scan *s)
{
	if (s->nfound)
		send(s, &s->found);
	s->nfound = 0;
}

void scan_flush(struct scan *s)
{
	flush_found(s);
	flush_junk(s);
}

static void say_junk(struct scan *s, uint32_t number, const char *what)
{
	if (s->njunk == 0)
		ipc_begin(&s->junk, "junk");
	ipc_put_int(&s->junk, what, number);
	if (++s->njunk == KEEPER_BATCH)
		flush_junk(s);
}

static void say_found(struct scan *s, uint32_t number, const struct message *m)
{
	char text[128];

	if (s->nfound == 0)
		ipc_begin(&s->found, "found");
	snprintf(text, sizeof(text), "%" PRIu32 " %" PRIu32 " %jd %jd %u %d",
		 number, m->super.generation, (intmax_t)message_born(m),
		 (intmax_t)m->next, m->attempts, m->held);
	ipc_put(&s->found, "m", text);
	if (++s->nfound == KEEPER_BATCH)
		flush_found(s);
}

static void say_rot(struct scan *s, uint32_t number, const char *id,
		    const char *why)
{
	ipc_begin(&s->out, "rot");
	ipc_put_int(&s->out, "slot", number);
	ipc_put(&s->out, "id", id);
	ipc_put(&s->out, "why", why);
	send(s, &s->out);
}

/* Nothing is known of what is in it. */
static void say_unread(struct scan *s, uint32_t number, const char *why)
{
	ipc_begin(&s->out, "unread");
	ipc_put_int(&s->out, "slot", number);
	ipc_put(&s->out, "why", why);
	send(s, &s->out);
}

/* A file that is not one of our slots: it stays where it is. */
static void say_strange(struct scan *s, const char *path, const char *why)
{
	s->strange++;
	log_error("%s: %s: it is left alone", path, why);
}

static void say_busy(struct scan *s, uint32_t number)
{
	ipc_begin(&s->out, "busy");
	ipc_put_int(&s->out, "slot", number);
	send(s, &s->out);
}

static void say_junk_or_torn(struct scan *s, uint32_t number, const char *path,
			     const struct judged *j)
{
	bool torn = j->verdict == VERDICT_TORN;

	/* our own crash leaves torn files, but never changes their size */
	if (j->why[0])
		(torn ? log_info : log_warn)("%s%s%s: %s", path,
					     j->id[0] ? ": " : "", j->id,
					     j->why);
	say_junk(s, number, torn ? "torn" : "unused");
}

static void say_verdict(struct scan *s, uint32_t number, const char *path,
			const struct judged *j)
{
	switch (j->verdict) {
	case VERDICT_MESSAGE:
		say_found(s, number, &j->m);
		break;
	case VERDICT_UNUSED:
	case VERDICT_TORN:
		say_junk_or_torn(s, number, path, j);
		break;
	case VERDICT_DAMAGED:
		say_rot(s, number, j->id, j->why);
		break;
	case VERDICT_STRANGE:
		say_strange(s, path, j->why);
		break;
	case VERDICT_UNREAD:
		say_unread(s, number, j->why);
		break;
	}
}

/* A process that may write to a slot has it locked (intake.c), even if the
 * qmgr that lent it is gone: then only a complete message in it counts. On a
 * file system without such locks no slot counts as lent. */
static bool is_lent(int fd)
{
	return flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

static void look_into(struct scan *s, uint32_t number, const char *path, int fd)
{
	struct judged j;
	struct stat st;
	bool lent = is_lent(fd);

	if (fstat(fd, &st) < 0) {
		say_unread(s, number, err_why(err_sys("look at", NULL)));
		return;
	}
	if (!S_ISREG(st.st_mode)) {
		say_strange(s, path, "is not a regular file");
		return;
	}
	judge(&j, number, fd);
	if (lent && j.verdict != VERDICT_MESSAGE)
		say_busy(s, number);
	else
		say_verdict(s, number, path, &j);
	judge_end(&j);
}

/* PATH, a slot or a folder of them, cannot be opened. If that is temporary, the scan is not done without
 * it: it may hold a promised message. */
static void miss(struct scan *s, const char *path)
{
	bool passes = errno == ENOMEM || errno == EIO ||
		      err_from_errno(errno) == ERR_TEMP;

	if (errno == ENOENT)
		return;
	if (!passes) {
		say_strange(s, path, strerror(errno));
		return;
	}
	if (!s->missed)
		log_error("cannot open %s now, tried again: %m", path);
	s->missed = true;
}

/* For writing, too: without its journal a message could not be tried. On a
 * file system that is read-only for now, its messages are known and wait. */
static int open_slot(const char *path)
{
	/* a FIFO would make us wait for its other end */
	const int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
	int fd = open(path, O_RDWR | flags);

	return fd < 0 && errno == EROFS ? open(path, O_RDONLY | flags) : fd;
}

void scan_look(struct scan *s, uint32_t number)
{
	char path[QUEUE_PATH_SIZE];
	int fd;

	queue_slot_path(path, number);
	fd = open_slot(path);
	if (fd < 0 && errno == EIO) {
		say_unread(s, number, err_why(err_sys("open", NULL)));
		return;
	}
	if (fd < 0) {
		miss(s, path);
		return;
	}
	look_into(s, number, path, fd);
	close(fd);
}

/* Files with other names are ignored. */
static void scan_file(struct scan *s, const struct dirent *e)
{
	char path[QUEUE_PATH_SIZE], here[sizeof(s->dirname) + 8];
	uint32_t number;

	if (!queue_slot_from_name(e->d_name, &number))
		return;
	queue_slot_path(path, number);
	snprintf(here, sizeof(here), "%s/%.6s", s->dirname, e->d_name);
	if (strcmp(path, here) != 0)
		say_strange(s, here, "is in the wrong folder");
	else if (e->d_type != DT_REG && e->d_type != DT_UNKNOWN)
		/* not even opened: opening a device may have effects */
		say_strange(s, path, "is not a regular file");
	else
		scan_look(s, number);
}

static void scan_ends(struct scan *s)
{
	closedir(s->queue);
	s->queue = NULL;
	scan_flush(s);
	s->again = s->missed;
	if (s->again)
		return;
	s->pause_ms = 0;
	ipc_begin(&s->out, "scanned");
	ipc_put_int(&s->out, "strange", s->strange);
	send(s, &s->out);
}

/* The next entry of D; NULL at its end, or if the rest cannot be read: then
 * the scan is not done without it. */
static struct dirent *read_on(struct scan *s, DIR *d, const char *name)
{
	struct dirent *e;
	int err = file_next(d, name, &e);

	if (err) {
		log_error("%s, tried again", err_why(err));
		s->missed = true;
	}
	return e;
}

static void scan_folder(struct scan *s)
{
	struct dirent *e = read_on(s, s->dir, s->dirname);

	if (e) {
		scan_file(s, e);
		return;
	}
	closedir(s->dir);
	s->dir = NULL;
}

/* One step of the scan: a file, or a folder opened. */
void scan_step(struct scan *s)
{
	struct dirent *e;

	if (s->dir) {
		scan_folder(s);
		return;
	}
	e = read_on(s, s->queue, "queue");
	if (!e) {
		scan_ends(s);
		return;
	}
	if (strlen(e->d_name) != 2 || e->d_name[0] == '.')
		return;
	snprintf(s->dirname, sizeof(s->dirname), "queue/%.2s", e->d_name);
	s->dir = opendir(s->dirname);
	if (!s->dir)
		miss(s, s->dirname);
}

void scan_begin(struct scan *s)
{
	if (s->queue)
		closedir(s->queue);
	if (s->dir)
		closedir(s->dir);
	s->dir = NULL;
	s->missed = false;
	s->strange = 0;
	s->queue = opendir("queue");
	s->pause_ms = s->pause_ms ? 2 * s->pause_ms : PAUSE_FIRST_MS;
	if (s->pause_ms > PAUSE_MAX_MS)
		s->pause_ms = PAUSE_MAX_MS;
	s->again = !s->queue;
	if (!s->queue)
		log_error("cannot read the folder queue, tried again: %m");
}
