/*
 * A page is a file "ID.checksum" of lines "N address act status dsn reply",
 * each percent-encoded word by word; it is locked while its acts are done. The
 * parent keeps a list of the pages whose answers went to qmgr, and removes each
 * after the time in which qmgr has surely written its journal.
 */
#include "local-deliver/ledger.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "log/log.h"

#define FOLDER "delivered"
#define LIFE_S (7 * 86400) /* of a page without an answer */
#define SURE_MS 10000	   /* qmgr wrote its journal long before */
#define PAGE_MAX 1048576
#define ID_MAX 64
#define NAME_SIZE (ID_MAX + 10)
#define ALNUM                                                        \
	"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuv" \
	"wxyz"

struct ledger {
	int fd;
	char *address;
	struct buf text; /* the existing lines */
};

/* A page whose answer went out. */
struct answered {
	TAILQ_ENTRY(answered) link;
	int64_t when_ms;
	char name[NAME_SIZE];
};

static struct {
	int dir;
	TAILQ_HEAD(, answered) answered; /* oldest first */
} self = { .dir = -1, .answered = TAILQ_HEAD_INITIALIZER(self.answered) };

/* ID comes from a process with fewer rights: it must not lead elsewhere. */
static bool make_name(char name[NAME_SIZE], const char *id, const char *address)
{
	size_t n = strspn(id, ALNUM);

	if (n == 0 || n > ID_MAX || id[n])
		return false;
	snprintf(name, NAME_SIZE, "%s.%08" PRIx32, id,
		 crc32c(0, address, strlen(address)));
	return true;
}

static bool is_page(const char *name)
{
	size_t n = strspn(name, ALNUM);

	return n > 0 && n <= ID_MAX && name[n] == '.' &&
	       strspn(name + n + 1, "0123456789abcdef") == 8 && !name[n + 9];
}

static void remove_old(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	struct stat st;

	while (d && file_next(d, path, &e) == ERR_OK && e)
		if (is_page(e->d_name) &&
		    fstatat(self.dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) ==
			    0 &&
		    st.st_mtime + LIFE_S < clock_wall())
			/* the next delivery tries it again */
			err_ignore(unlinkat(self.dir, e->d_name, 0));
	if (d)
		closedir(d);
}

/* Only we may have put anything there. */
static bool is_ours(int dir)
{
	struct stat st;

	if (fstat(dir, &st) < 0)
		return false;
	errno = EPERM;
	return st.st_uid == geteuid() && (st.st_mode & 077) == 0;
}

void ledger_prepare(const char *run_directory)
{
	char *path = mem_printf("%s/" FOLDER, run_directory);
	int dir = -1;

	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		dir = open(path,
			   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir >= 0 && is_ours(dir)) {
		self.dir = dir;
		remove_old(path);
	} else {
		log_error("%s: cannot be used: %m; if qmgr dies, commands and "
			  "files may get a message twice",
			  path);
		if (dir >= 0)
			close(dir);
	}
	free(path);
}

static struct ledger *fail(const char *name, int fd)
{
	log_warn("ledger: %s: cannot be used: %m", name);
	if (fd >= 0)
		close(fd);
	return NULL;
}

void ledger_close(struct ledger **l)
{
	if (!*l)
		return;
	/* a process forked meanwhile also has it */
	err_ignore(flock((*l)->fd, LOCK_UN));
	close((*l)->fd);
	buf_free(&(*l)->text);
	free((*l)->address);
	free(*l);
	*l = NULL;
}

/* -1 with errno. One on a file system that takes nothing now can be read. */
static int open_page(const char *name)
{
	const int flags = O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	int fd = openat(self.dir, name, O_RDWR | O_CREAT | flags, 0600);
	struct stat st;

	if (fd < 0 && errno == EROFS)
		fd = openat(self.dir, name, O_RDONLY | flags);
	if (fd < 0 || (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)))
		return fd;
	close(fd);
	errno = ENOTSUP;
	return -1;
}

/* False: it cannot be seen now what was done. One that is longer than any of
 * ours is read as far as it can be. */
static bool read_page(struct ledger *l, const char *name)
{
	int err;

	buf_init(&l->text, PAGE_MAX);
	err = file_read_fd(l->fd, &l->text);
	if (err)
		log_warn("ledger: %s: %s", name, err_why(err));
	return !err || err == ERR_TOO_LONG;
}

bool ledger_open(const char *id, const char *address, struct ledger **l)
{
	char name[NAME_SIZE];
	int fd;

	*l = NULL;
	if (self.dir < 0 || !make_name(name, id, address))
		return true;
	fd = open_page(name);
	if (fd < 0) {
		*l = fail(name, fd);
		return true;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		bool busy = errno == EWOULDBLOCK;

		*l = busy ? NULL : fail(name, fd);
		if (busy)
			close(fd);
		return !busy;
	}
	*l = mem_alloc(sizeof(**l));
	(*l)->fd = fd;
	(*l)->address = mem_strdup(address);
	if (read_page(*l, name))
		return true;
	ledger_close(l);
	return false;
}

/* "N address what ": identifies the act in full, since a checksum might
 * collide. */
static void name_act(const struct ledger *l, struct buf *out, size_t n,
		     const char *what)
{
	buf_init(out, PAGE_MAX);
	buf_printf(out, "%zu ", n);
	encode_percent(out, l->address, strlen(l->address));
	buf_putc(out, ' ');
	encode_percent(out, what, strlen(what));
	buf_putc(out, ' ');
}

/* "status dsn reply", words as in job packets. */
static bool read_result(struct arena *a, const char *line, size_t n,
			struct result *r)
{
	char *copy = arena_strndup(a, line, n);
	char *status = strsep(&copy, " "), *dsn = strsep(&copy, " ");
	struct buf reply;

	if (!copy || !result_status_of(status, &r->status))
		return false;
	buf_init(&reply, PAGE_MAX);
	if (!decode_percent(&reply, copy, strlen(copy)))
		buf_reset(&reply);
	r->dsn = dsn;
	r->reply = arena_strdup(a, reply.len ? reply.data : "");
	r->relay = "local";
	buf_free(&reply);
	return true;
}

bool ledger_find(const struct ledger *l, struct arena *a, size_t n,
		 const char *what, struct result *r)
{
	const char *p = l && l->text.len ? l->text.data : "";
	struct buf name;
	bool found = false;

	if (!*p)
		return false;
	name_act(l, &name, n, what);
	for (size_t len; *p && !found; p += len + (p[len] == '\n')) {
		len = strcspn(p, "\n");
		/* an incomplete line does not count */
		if (p[len] == '\n' && len > name.len &&
		    memcmp(p, name.data, name.len) == 0)
			found = read_result(a, p + name.len, len - name.len, r);
	}
	buf_free(&name);
	return found;
}

void ledger_note(struct ledger *l, size_t n, const char *what,
		 const struct result *r)
{
	struct buf line;
	int err;

	if (!l)
		return;
	name_act(l, &line, n, what);
	buf_printf(&line, "%s %s ", result_name(r->status), r->dsn);
	encode_percent(&line, r->reply, strlen(r->reply));
	buf_putc(&line, '\n');
	err = file_write(l->fd, line.data, line.len);
	if (err)
		log_warn("ledger: %s", err_why(err));
	buf_free(&line);
}

void ledger_answered(const char *id, const char *address)
{
	struct answered *a = mem_alloc(sizeof(*a));

	if (self.dir < 0 || !make_name(a->name, id, address)) {
		free(a);
		return;
	}
	a->when_ms = clock_ms();
	TAILQ_INSERT_TAIL(&self.answered, a, link);
}

/* Of the oldest. */
static void forget(bool remove)
{
	struct answered *a = TAILQ_FIRST(&self.answered);

	if (remove && unlinkat(self.dir, a->name, 0) < 0 && errno != ENOENT)
		log_warn("ledger: cannot remove %s: %m", a->name);
	TAILQ_REMOVE(&self.answered, a, link);
	free(a);
}

void ledger_tidy(void)
{
	int64_t until = clock_ms() - SURE_MS;
	struct answered *a;

	while ((a = TAILQ_FIRST(&self.answered)) && a->when_ms < until)
		forget(true);
}

void ledger_keep(void)
{
	while (!TAILQ_EMPTY(&self.answered))
		forget(false);
}
