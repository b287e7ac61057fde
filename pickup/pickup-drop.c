/*
 * The drop folder: mail that programs left while the suite did not run.
 * Anybody may put files there, so a separate process reads them, which may die
 * without harm to the watching process or to other files: the name of the
 * current file is in memory that both share, and it is then put aside. No file
 * is ever removed that may hold mail that is not in the queue, and none is
 * taken twice.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/heartbeat.h"
#include "base/str.h"
#include "log/log.h"
#include "intake/posting.h"
#include "qmgr/aside.h"
#include "server/sandbox.h"
#include "server/watch.h"
#include "pickup/pickup.h"

#define AGAIN_MS 10000 /* after something was deferred */
#define LOOK_MS 60000  /* and without any event */
#define STALE_S 86400  /* an unfinished file this old is garbage */
#define UNFINISHED "tmp."
#define HEX "0123456789abcdef"
#define QUEUED_MAX 64  /* that cannot be removed, before all wait */
#define WAITING_MAX 16 /* users whose files are deferred, before all are */

/* Users one of whose files was just deferred: their other files would probably
 * be too. Those of other users are still tried, as the fault may be in that
 * file. */
struct waiting {
	uid_t uid[WAITING_MAX];
	size_t n;
};

/* What the reading processes leave for those after them. */
struct notes {
	char current[NAME_MAX + 1]; /* the current file, or "" */
	/* files that were queued and could not be removed: not again */
	ino_t queued[QUEUED_MAX];
	size_t nqueued;
	struct watched watched; /* the one that reads */
};

static struct {
	struct notes *notes; /* in memory that is shared with them */
	int dir;
} self = { .dir = -1 };

/* Renames it to a name that says what it is, and that no other file has. */
static bool rename_aside(const char *name, char aside[NAME_MAX + 1])
{
	for (unsigned i = 0; i < 1000; i++) {
		int n = snprintf(aside, NAME_MAX + 1,
				 POSTING_ASIDE_PREFIX "%.*s", NAME_MAX - 16,
				 name);

		if (i > 0)
			snprintf(aside + n, NAME_MAX + 1 - (size_t)n, ".%u", i);
		if (renameat2(self.dir, name, self.dir, aside,
			      RENAME_NOREPLACE) == 0)
			return true;
		if (errno != EEXIST)
			return false;
	}
	return false;
}

/* It may be mail, so it is never removed. */
static void put_aside(const char *name, const char *why)
{
	char aside[NAME_MAX + 1];

	if (rename_aside(name, aside))
		log_error("drop folder: %s: %s; it is now called %s", name, why,
			  aside);
	else
		log_error("drop folder: %s: %s; it cannot be put aside: %m",
			  name, why);
}

/* Why a file that cannot be opened, with ERRNUM, never can be; NULL if that may
 * be temporary. */
static const char *why_never(int errnum)
{
	switch (errnum) {
	case ELOOP:
		return "is a symbolic link";
	case ENXIO:
		return "is a socket, or no file";
	case EACCES:
	case EPERM:
	case ENODEV:
		return strerror(errnum);
	default:
		return NULL;
	}
}

/* Checks that it is a proper file, not a link to one that the sender may not
 * read. NULL, or what is wrong. */
static const char *unfit(const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "is no regular file";
	if (st->st_nlink != 1)
		return "has more than one name";
	return NULL;
}

static bool is_waiting(const struct waiting *w, uid_t uid)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->uid[i] == uid)
			return true;
	return false;
}

static bool is_queued(ino_t ino)
{
	for (size_t i = 0; i < self.notes->nqueued; i++)
		if (self.notes->queued[i] == ino)
			return true;
	return false;
}

static void forget_queued(ino_t ino)
{
	struct notes *n = self.notes;

	for (size_t i = 0; i < n->nqueued; i++)
		if (n->queued[i] == ino)
			n->queued[i--] = n->queued[--n->nqueued];
}

/* The message is in the queue: removes its file, or never takes it again. */
static void end_queued(const char *name, ino_t ino)
{
	if (!is_queued(ino))
		self.notes->queued[self.notes->nqueued++] = ino;
	if (unlinkat(self.dir, name, 0) == 0)
		forget_queued(ino);
	else
		log_error("drop folder: %s is queued and cannot be removed: %m",
			  name);
}

/* False: it stays for another try. */
static bool take_file(struct pickup *p, const char *name, int fd,
		      struct waiting *w)
{
	struct answer reply;
	struct stat st;
	const char *wrong;

	if (fstat(fd, &st) < 0) {
		log_warn("drop folder: %s waits: %m", name);
		return false;
	}
	wrong = unfit(&st);
	if (wrong) {
		put_aside(name, wrong);
		return true;
	}
	if (is_queued(st.st_ino)) {
		end_queued(name, st.st_ino);
		return true;
	}
	if (is_waiting(w, st.st_uid) || self.notes->nqueued == QUEUED_MAX)
		return false;
	if (pickup_take(p, fd, st.st_uid, &reply)) {
		end_queued(name, st.st_ino);
		return true;
	}
	if (answer_class(&reply) == '4') {
		log_warn("drop folder: %s waits: %s", name, reply.text);
		w->uid[w->n++] = st.st_uid;
		return false;
	}
	put_aside(name, reply.text);
	return true;
}

/* False: it stays for another try. */
static bool cannot_open(const char *name, int errnum)
{
	const char *never = why_never(errnum);

	if (never)
		put_aside(name, never);
	else
		log_warn("drop folder: %s waits: %s", name, strerror(errnum));
	return never;
}

static bool take_name(struct pickup *p, const char *name, struct waiting *w)
{
	int fd = openat(self.dir, name,
			O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
				O_CLOEXEC);
	bool done;

	if (fd < 0)
		return errno == ENOENT || cannot_open(name, errno);
	str_copy(self.notes->current, sizeof(self.notes->current), name);
	done = take_file(p, name, fd, w);
	self.notes->current[0] = '\0';
	close(fd);
	return done;
}

/* Two numbers of 16 digits, as posting_drop makes them. */
static bool is_ours(const char *name)
{
	const char *p = name + strlen(UNFINISHED);
	size_t n = strspn(p, HEX);

	return n == 16 && p[n] == '.' && strspn(p + n + 1, HEX) == 16 &&
	       !p[n + 17];
}

/* What posting_drop did not finish was never promised. */
static void remove_stale(const char *name)
{
	struct stat st;

	if (is_ours(name) &&
	    fstatat(self.dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode) && st.st_mtime + STALE_S < clock_wall() &&
	    unlinkat(self.dir, name, 0) < 0)
		log_warn("drop folder: cannot remove %s: %m", name);
}

static int open_folder(struct pickup *p, DIR **d)
{
	int fd = openat(self.dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*d = fd < 0 ? NULL : fdopendir(fd);
	return *d ? ERR_OK : err_sys("open the drop folder", p->drop);
}

/* During a reload there are two of us: each waits for the other. */
static int lock_folder(struct pickup *p, DIR *d)
{
	return flock(dirfd(d), LOCK_EX) < 0
		       ? err_sys("lock the drop folder", p->drop)
		       : ERR_OK;
}

static int put_off(int err)
{
	log_error("%s, tried again", err_why(err));
	return EX_TEMPFAIL;
}

/* Takes all files. In a separate process, whose exit status says whether
 * something was deferred. */
static int take_all(struct pickup *p)
{
	struct waiting w = { .n = 0 };
	struct dirent *e;
	DIR *d;
	int status = EX_OK, err = open_folder(p, &d);

	if (!err)
		err = lock_folder(p, d);
	if (err)
		return put_off(err);
	p->intake = intake_new(p->config, pickup_rows);
	while (w.n < WAITING_MAX && !(err = file_next(d, p->drop, &e)) && e) {
		if (str_starts(e->d_name, UNFINISHED))
			remove_stale(e->d_name);
		if (str_starts(e->d_name, POSTING_DROP_PREFIX) &&
		    !take_name(p, e->d_name, &w))
			status = EX_TEMPFAIL;
	}
	return err ? put_off(err) : status;
}

/* True also if that is unknown: then take_all reports why. */
static bool anything_there(struct pickup *p)
{
	struct dirent *e;
	bool found = false;
	DIR *d;
	int err = open_folder(p, &d);

	if (err)
		return true;
	while (!found && !(err = file_next(d, p->drop, &e)) && e)
		found = str_starts(e->d_name, POSTING_DROP_PREFIX) ||
			str_starts(e->d_name, UNFINISHED);
	closedir(d);
	return found || err;
}

/* Waits for the end of PID, which has the other end of LIFE until then, and
 * kills it if it hangs. Gives its status. */
static int await_end(pid_t pid, int life)
{
	struct pollfd end = { .fd = life, .events = POLLIN };
	int status = -1;

	watch_resume();
	while (poll(&end, 1, heartbeat_turn(watch_turn_ms())) <= 0) {
		watch_round();
		watch_look(&self.notes->watched, pid, "process");
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

/* Runs take_all in a separate process; gives its status. */
static int take_apart(struct pickup *p)
{
	int life[2], status = -1;
	pid_t pid;

	if (pipe2(life, O_CLOEXEC) < 0)
		return -1;
	watch_prepare(&self.notes->watched);
	pid = fork();
	if (pid == 0) {
		close(life[0]);
		watch_me(&self.notes->watched, true);
		sandbox_enter(SANDBOX_OPEN);
		_exit(take_all(p));
	}
	close(life[1]);
	if (pid > 0)
		status = await_end(pid, life[0]);
	close(life[0]);
	return status;
}

/* qmgr is asked how much mail waits, and may not list the folder. */
static void report_aside(struct pickup *p)
{
	struct dirent *e;
	int64_t n = 0;
	DIR *d;
	int err = open_folder(p, &d);

	if (err)
		return; /* take_all has reported why */
	while (!(err = file_next(d, p->drop, &e)) && e)
		n += str_starts(e->d_name, POSTING_ASIDE_PREFIX);
	closedir(d);
	if (!err)
		queue_report_aside(n);
}

/* True: something is left for another try. */
static bool look(struct pickup *p)
{
	int status;

	if (!anything_there(p))
		return false;
	status = take_apart(p);
	if (status != -1 && WIFSIGNALED(status) && self.notes->current[0]) {
		put_aside(self.notes->current, "the process that read it died");
		self.notes->current[0] = '\0';
	}
	return status != 0;
}

/* Waits for something to be dropped. */
static void await_drop(int notify, int64_t ms)
{
	struct pollfd fd = { .fd = notify, .events = POLLIN };
	int64_t until = clock_ms() + ms, left;
	char drain[8192];

	while ((left = until - clock_ms()) > 0)
		if (poll(&fd, 1, heartbeat_turn(left)) > 0)
			break;
	while (notify >= 0 && read(notify, drain, sizeof(drain)) > 0)
		;
}

void pickup_watch_drop(void *context)
{
	struct pickup *p = context;
	int notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	/* also what an administrator removes, who wants to see it counted */
	if (notify < 0 ||
	    inotify_add_watch(notify, p->drop,
			      IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
				      IN_ONLYDIR) < 0)
		log_warn("%s: cannot be watched: %m; it is looked at once a "
			 "minute",
			 p->drop);
	for (;;) {
		bool left = look(p);

		report_aside(p);
		await_drop(notify, left ? AGAIN_MS : LOOK_MS);
	}
}

bool pickup_open_drop(struct pickup *p)
{
	self.notes = mmap(NULL, sizeof(*self.notes), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	self.dir = open(p->drop, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (self.notes != MAP_FAILED && self.dir >= 0)
		return true;
	log_error("%s: %m; mail in it stays there", p->drop);
	return false;
}
