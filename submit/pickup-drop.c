/*
 * The drop folder: mail that programs left while the suite did not run.
 * Anybody may put files there, so each is looked at by a process that may
 * die of it, without harm to what watches, nor to the other files: the file
 * at hand is named in memory that both share, and is put aside then.
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
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "log/log.h"
#include "queue/submit.h"
#include "server/sandbox.h"
#include "submit/pickup.h"

#define AGAIN_MS 10000 /* after something was put off */
#define LOOK_MS 60000  /* and also without a sign */
#define STALE_S 86400  /* an unfinished file that old is rubbish */
#define ASIDE "bad."   /* what cannot be understood is called that */
#define UNFINISHED "tmp."
#define WAITING_MAX 16 /* users whose files are put off, until all are */

/* Those whose file was put off just now: their others would most likely be,
 * too. Not so those of other users, as what is wrong may be of that file. */
struct waiting {
	uid_t uid[WAITING_MAX];
	size_t n;
};

static struct {
	char (*current)[NAME_MAX + 1]; /* shared with the process that reads */
	int dir;
} self = { .dir = -1 };

static void put_aside(const char *name, const char *why)
{
	char aside[NAME_MAX + 1] = ASIDE;

	strncat(aside, name, sizeof(aside) - sizeof(ASIDE));
	log_error("drop folder: %s: %s; it is now called %s", name, why, aside);
	if (renameat(self.dir, name, self.dir, aside) < 0)
		unlinkat(self.dir, name, 0);
}

/* A file of its own, that nobody can have made us read by a link. NULL, or
 * what is wrong. */
static const char *unfit(int fd, struct stat *st)
{
	if (fd < 0)
		return strerror(errno);
	if (fstat(fd, st) < 0)
		return strerror(errno);
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

/* False: it stays for another try. */
static bool take_file(struct pickup *p, const char *name, int fd,
		      struct waiting *w)
{
	struct smtp_reply reply;
	struct stat st;
	const char *wrong = unfit(fd, &st);

	if (wrong) {
		put_aside(name, wrong);
		return true;
	}
	if (is_waiting(w, st.st_uid))
		return false;
	if (pickup_take(p, fd, st.st_uid, &reply)) {
		if (unlinkat(self.dir, name, 0) < 0)
			log_error("drop folder: cannot remove %s: %m", name);
		return true;
	}
	if (smtp_reply_class(&reply) == '4') {
		log_warn("drop folder: %s waits: %s", name, reply.text);
		w->uid[w->n++] = st.st_uid;
		return false;
	}
	put_aside(name, reply.text);
	return true;
}

static bool take_name(struct pickup *p, const char *name, struct waiting *w)
{
	int fd = openat(self.dir, name,
			O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
				O_CLOEXEC);
	bool done;

	if (fd < 0 && errno == ENOENT)
		return true;
	str_copy(*self.current, sizeof(*self.current), name);
	done = take_file(p, name, fd, w);
	(*self.current)[0] = '\0';
	if (fd >= 0)
		close(fd);
	return done;
}

static void remove_stale(const char *name)
{
	struct stat st;

	if (fstatat(self.dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_mtime + STALE_S < clock_wall())
		unlinkat(self.dir, name, 0);
}

static DIR *open_folder(void)
{
	int fd = openat(self.dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d)
		log_error("drop folder: %m");
	return d;
}

/* Takes all that is there. In a process of its own, whose exit status says
 * whether something was put off. */
static int take_all(struct pickup *p)
{
	DIR *d = open_folder();
	struct waiting w = { .n = 0 };
	struct dirent *e;
	int status = EX_OK;

	if (!d)
		return EX_TEMPFAIL;
	/* during a reload two of us are there */
	flock(dirfd(d), LOCK_EX);
	p->intake = intake_new(p->config);
	while (w.n < WAITING_MAX && (e = readdir(d)) != NULL) {
		if (str_starts(e->d_name, UNFINISHED))
			remove_stale(e->d_name);
		if (str_starts(e->d_name, SUBMIT_DROP_PREFIX) &&
		    !take_name(p, e->d_name, &w))
			status = EX_TEMPFAIL;
	}
	return status;
}

static bool anything_there(void)
{
	DIR *d = open_folder();
	struct dirent *e;
	bool found = false;

	while (d && !found && (e = readdir(d)) != NULL)
		found = str_starts(e->d_name, SUBMIT_DROP_PREFIX) ||
			str_starts(e->d_name, UNFINISHED);
	if (d)
		closedir(d);
	return found;
}

/* True: something is left for another try. */
static bool look(struct pickup *p)
{
	int status = 0;
	pid_t pid;

	if (!anything_there())
		return false;
	pid = fork();
	if (pid == 0) {
		sandbox_enter(SANDBOX_OPEN);
		_exit(take_all(p));
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid > 0 && WIFSIGNALED(status) && (*self.current)[0]) {
		put_aside(*self.current, "the process that read it died");
		(*self.current)[0] = '\0';
	}
	return pid < 0 || status != 0;
}

static void watch(struct pickup *p)
{
	int notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char drain[8192];
	struct pollfd fd = { .fd = notify, .events = POLLIN };

	if (notify < 0 ||
	    inotify_add_watch(notify, p->drop, IN_MOVED_TO | IN_ONLYDIR) < 0)
		log_warn("%s: cannot be watched: %m; it is looked at once a "
			 "minute",
			 p->drop);
	for (;;) {
		bool left = look(p);

		poll(&fd, 1, left ? AGAIN_MS : LOOK_MS);
		while (notify >= 0 && read(notify, drain, sizeof(drain)) > 0)
			;
	}
}

void pickup_watch_drop(struct pickup *p)
{
	pid_t parent = getpid();

	self.current = mmap(NULL, sizeof(*self.current), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	self.dir = open(p->drop, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (self.current == MAP_FAILED || self.dir < 0) {
		log_error("%s: %m; mail in it stays there", p->drop);
		return;
	}
	if (fork() != 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() == parent)
		watch(p);
	_exit(EX_OK);
}
