/*
 * The commands for folders on a disk that is full, or fails, at any of their
 * steps: what is refused has changed nothing, and what is done is whole. And a
 * RENAME that ends at any of them leaves each folder its special use.
 */
#include <errno.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/str.h"
#include "t/unit/mailbox-lib.h"

static int left; /* calls until one fails; 0: none does */
static bool failed, syncs_fail, dies;

static bool fails(int why)
{
	if (left == 0 || --left > 0)
		return false;
	if (dies)
		_exit(1);
	failed = true;
	errno = why;
	return true;
}

int openat(int dir, const char *name, int flags, ...)
{
	va_list ap;
	int mode;

	va_start(ap, flags);
	mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, int) : 0;
	va_end(ap);
	if (flags & O_CREAT && fails(ENOSPC))
		return -1;
	return (int)syscall(SYS_openat, dir, name, flags, mode);
}

int mkdirat(int dir, const char *name, mode_t mode)
{
	return fails(ENOSPC) ? -1 : (int)syscall(SYS_mkdirat, dir, name, mode);
}

int renameat(int dir, const char *from, int dir2, const char *to)
{
	return fails(ENOSPC) ? -1
			     : (int)syscall(SYS_renameat, dir, from, dir2, to);
}

int linkat(int dir, const char *from, int dir2, const char *to, int flags)
{
	return fails(ENOSPC)
		       ? -1
		       : (int)syscall(SYS_linkat, dir, from, dir2, to, flags);
}

ssize_t write(int fd, const void *p, size_t n)
{
	return fd > 2 && fails(ENOSPC) ? -1 : syscall(SYS_write, fd, p, n);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t off)
{
	return fails(ENOSPC) ? -1 : syscall(SYS_pwrite64, fd, p, n, off);
}

/* Nobody cuts the power here. */
int fsync(int fd)
{
	(void)fd;
	return syncs_fail && fails(EIO) ? -1 : 0;
}

int fdatasync(int fd)
{
	return fsync(fd);
}

int sync_file_range(int fd, off_t from, off_t n, unsigned flags)
{
	(void)fd;
	(void)from;
	(void)n;
	(void)flags;
	return 0;
}

/* All that LIST and STATUS say, and what is left in tmp. */
static void describe(struct store *s, struct buf *b)
{
	struct store_list l = { 0 };
	struct store_status st;
	DIR *d = opendir(path("tmp"));
	struct dirent *e;
	size_t i;

	buf_reset(b);
	if (store_list(s, &l) != ERR_OK)
		buf_puts(b, "no list");
	for (i = 0; i < l.n; i++) {
		const struct store_folder *f = &l.folder[i];
		int code = store_status(s, f->name, false, &st);

		buf_printf(b, "%s:%d%d%s:%d,%u ", f->name, f->exists,
			   f->subscribed, f->special_use ? f->special_use : "",
			   code, code ? 0 : st.messages);
	}
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			buf_printf(b, "tmp/%s ", e->d_name);
	closedir(d);
	store_list_free(&l);
}

static struct store *begin(void)
{
	struct store *s;

	fresh();
	deliver_n("INBOX", 2);
	store_open(at.maildir, true, &s);
	store_create(s, "Old", "\\Archive");
	store_create(s, "Old/below", "\\Junk");
	store_create(s, "Other", NULL);
	store_subscribe(s, "Old", true);
	deliver_n("Old", 1);
	return s;
}

static int create(struct store *s)
{
	return store_create(s, "New", NULL);
}

static int create_with_use(struct store *s)
{
	return store_create(s, "New", "\\Sent");
}

static int rename_tree(struct store *s)
{
	return store_rename(s, "Old", "New");
}

static int rename_inbox(struct store *s)
{
	return store_rename(s, "INBOX", "New");
}

static int delete (struct store *s)
{
	return store_delete(s, "Old");
}

static int subscribe(struct store *s)
{
	return store_subscribe(s, "Other", true);
}

static int unsubscribe(struct store *s)
{
	return store_subscribe(s, "Old", false);
}

static const struct {
	const char *name;
	int (*act)(struct store *s);
	bool syncs; /* also if a sync fails; else it may be done, and refused */
} commands[] = {
	{ "CREATE", create, true },
	{ "CREATE (USE)", create_with_use, true },
	{ "RENAME", rename_tree, true },
	{ "RENAME INBOX", rename_inbox, false },
	{ "DELETE", delete, true },
	{ "SUBSCRIBE", subscribe, false },
	{ "UNSUBSCRIBE", unsubscribe, false },
};

/* What the command gives if nothing fails. */
static void test_good(size_t which, struct buf *done)
{
	struct store *s = begin();

	ok(commands[which].act(s) == ERR_OK, "%s", commands[which].name);
	describe(s, done);
	store_close(&s);
}

/* Does the N-th call that may fail leave all or nothing? */
static bool holds(size_t which, int n, const char *done, struct buf *b)
{
	struct store *s = begin();
	struct buf before;
	bool good;
	int code;

	buf_init(&before, 10000);
	describe(s, &before);
	left = n;
	failed = false;
	syncs_fail = commands[which].syncs;
	code = commands[which].act(s);
	left = 0;
	store_close(&s);
	store_open(at.maildir, false, &s);
	describe(s, b);
	good = str_equal(b->data, code ? before.data : done);
	if (!good)
		printf("# call %d: %s; before: %s; now: %s\n", n,
		       err_text(code), before.data, b->data);
	store_close(&s);
	buf_free(&before);
	return good;
}

/* RENAME, which ends at its N-th call that may fail. True: it has so many. */
static bool ends(int n)
{
	struct store *s = begin();
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		left = n;
		dies = true;
		_exit(rename_tree(s) == ERR_OK ? 0 : 2);
	}
	store_close(&s);
	return waitpid(pid, &status, 0) == pid && status != 0;
}

/* The folders that began as Old and Old/below. */
static bool have_uses(void)
{
	struct store_list l = { 0 };
	struct store *s;
	int archives = 0, junk = 0;

	store_open(at.maildir, false, &s);
	if (store_list(s, &l) != ERR_OK)
		printf("# no list\n");
	for (size_t i = 0; i < l.n; i++) {
		const char *use = l.folder[i].special_use;

		archives += use && str_equal(use, "\\Archive");
		junk += use && str_equal(use, "\\Junk");
	}
	store_list_free(&l);
	store_close(&s);
	return archives == 1 && junk == 1;
}

static void test_ended(void)
{
	int n = 1, bad = 0;

	for (; ends(n); n++)
		bad += !have_uses();
	ok(bad == 0 && n > 3,
	   "each folder has its use, wherever of %d calls "
	   "RENAME ends: not at %d",
	   n - 1, bad);
}

int main(void)
{
	struct buf whole, now;
	size_t i;

	buf_init(&whole, 10000);
	buf_init(&now, 10000);
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		int n = 0, bad = 0;

		test_good(i, &whole);
		do
			bad += !holds(i, ++n, whole.data, &now);
		while (failed);
		ok(bad == 0 && n > 2, "%s: all or nothing, at %d calls",
		   commands[i].name, n - 1);
	}
	buf_free(&whole);
	buf_free(&now);
	test_ended();
	clean();
	return done();
}
