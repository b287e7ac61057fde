/*
 * A Maildir's functions for the table in messages/messages.h. Every file is
 * reached from the descriptor of its directory, without following links; the
 * two directories are opened when they are first needed. name.h defines the
 * names of message files.
 */
#include "maildir/maildir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "maildir/name.h"

#define ASIDE_TRIES 1000 /* files of one name in `tmp` */
#define ASIDE_MAX 240	 /* bytes of it that are kept */

static const char *const place[DIRS] = { "new", "cur" };

struct maildir {
	struct messages m; /* must be first: same pointer */
	int dir;	   /* the caller's */
	struct folder_id id;
	int sub[DIRS];	   /* -1 while not needed */
	bool asked, exact; /* the clock's kind, once asked for */
};

static struct maildir *of(struct messages *ms)
{
	return (struct maildir *)(void *)ms;
}

/* A directory keeps its inode when it is renamed. */
struct folder_id maildir_id(const struct stat *st)
{
	return (struct folder_id){ .high = st->st_dev, .low = st->st_ino };
}

static struct folder_id id(struct messages *ms)
{
	return of(ms)->id;
}

static struct folder_token token(struct messages *ms)
{
	return (struct folder_token){ of(ms)->id, of(ms)->dir };
}

static int sub(struct maildir *d, unsigned which, int *fd)
{
	if (d->sub[which] < 0)
		d->sub[which] =
			openat(d->dir, place[which],
			       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	*fd = d->sub[which];
	return *fd < 0 ? err_sys("open", place[which]) : ERR_OK;
}

/* The file's name into OUT, and its directory. */
static int find(struct maildir *d, const struct message_ref *r,
		char out[MAILDIR_NAME_SIZE], int *fd)
{
	if (memchr(r->base, '/', r->nbase) || r->nbase > NAME_BASE_MAX)
		return err_set(ERR_NOT_FOUND, "no name of a message");
	name_file(out, r->base, r->nbase, r->dir, r->letters);
	return sub(d, r->dir, fd);
}

static int stamps(struct messages *ms, unsigned dirs, int64_t when[DIRS])
{
	struct maildir *d = of(ms);
	unsigned i;

	for (i = 0; i < DIRS; i++) {
		struct stat st;
		int failed;

		if (!(dirs & 1u << i))
			continue;
		failed = d->sub[i] >= 0 ? fstat(d->sub[i], &st)
					: fstatat(d->dir, place[i], &st,
						  AT_SYMLINK_NOFOLLOW);
		if (failed)
			return err_sys("look at", place[i]);
		/* a restore can set st_mtim, but never this */
		when[i] = (int64_t)st.st_ctim.tv_sec * 1000000000 +
			  st.st_ctim.tv_nsec;
	}
	return ERR_OK;
}

/* Since Linux 6.13 some file systems give a change after a stat(2) a new time;
 * before, it has that of the clock's last tick. */
static bool ask_exact(int dir)
{
	struct utsname u;
	struct statfs fs;
	int major, minor;

	if (uname(&u) < 0 || fstatfs(dir, &fs) < 0 ||
	    sscanf(u.release, "%d.%d", &major, &minor) != 2 ||
	    major * 100 + minor < 613)
		return false;
	switch (fs.f_type) {
	case EXT4_SUPER_MAGIC:
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case TMPFS_MAGIC:
		return true;
	default:
		return false;
	}
}

static bool exact(struct messages *ms)
{
	struct maildir *d = of(ms);

	if (!d->asked)
		d->exact = ask_exact(d->dir);
	d->asked = true;
	return d->exact;
}

/* Renames, but never over another file: two of the same name are two messages,
 * or were put aside at different times. -1 and errno. */
static int rename_new(int at, const char *from, int to_at, const char *to)
{
	if (renameat2(at, from, to_at, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	/* if the file system cannot, a file that appears now is missed */
	if (faccessat(to_at, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return -1;
	}
	return renameat(at, from, to_at, to);
}

static int add_name(struct listing *l, unsigned dir, const char *text)
{
	struct listing_file file = { .dir = (uint8_t)dir };
	char ours[MAILDIR_NAME_SIZE];

	if (!name_parse(text, &file))
		return ERR_OK;
	name_file(ours, text, file.nbase, dir, file.letters);
	file.spelt = strcmp(ours, text) == 0;
	return listing_add(l, &file, text);
}

static int read_dir(struct maildir *d, unsigned dir, struct listing *l)
{
	struct dirent *entry;
	int code = ERR_OK;
	DIR *stream;
	/* Not a dup of ours, which would share the position. */
	int fd = openat(d->dir, place[dir],
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_sys("open", place[dir]);
	stream = fdopendir(fd);
	if (!stream) {
		code = err_sys("read", place[dir]);
		close(fd);
		return code;
	}
	for (;;) {
		code = file_next(stream, place[dir], &entry);
		if (!entry || code)
			break;
		code = add_name(l, dir, entry->d_name);
	}
	closedir(stream);
	return code;
}

static int list(struct messages *ms, unsigned dirs, struct listing *l)
{
	unsigned i;
	int code = ERR_OK;

	for (i = 0; !code && i < DIRS; i++)
		if (dirs & 1u << i)
			code = read_dir(of(ms), i, l);
	return code;
}

static int64_t in_us(const struct statx_timestamp *t)
{
	return t->tv_sec * 1000000 + t->tv_nsec / 1000;
}

static int state(struct messages *ms, const struct message_ref *r,
		 struct message_state *out)
{
	char name[MAILDIR_NAME_SIZE];
	const char *now = r->raw ? r->raw : name;
	struct statx st;
	int fd, code = find(of(ms), r, name, &fd);

	if (code)
		return code;
	if (statx(fd, now, AT_SYMLINK_NOFOLLOW,
		  STATX_BASIC_STATS | STATX_BTIME, &st) < 0)
		return err_sys("look at", now);
	*out = (struct message_state){
		.is_file = S_ISREG(st.stx_mode),
		.size = st.stx_size,
		.written = st.stx_mtime.tv_sec,
		.changed = in_us(&st.stx_ctime),
		.born = st.stx_mask & STATX_BTIME ? in_us(&st.stx_btime) : 0,
		.shared = st.stx_nlink > 1,
		/* fs.protected_hardlinks, see proc_sys_fs(5) */
		.foreign = st.stx_uid != geteuid(),
	};
	return ERR_OK;
}

static int open_message(struct messages *ms, const struct message_ref *r,
			int *out)
{
	char name[MAILDIR_NAME_SIZE];
	const char *now = r->raw ? r->raw : name;
	int fd, code = find(of(ms), r, name, &fd);

	if (code)
		return code;
	*out = openat(fd, now, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	return *out < 0 ? err_sys("open", now) : ERR_OK;
}

static int create_named(struct maildir *d, struct message_new *n)
{
	int tries;

	for (tries = 0; tries < 3; tries++) {
		snprintf(n->name, sizeof(n->name), "tmp/%lld.P%d",
			 (long long)clock_wall_us(), (int)getpid());
		n->fd = openat(d->dir, n->name,
			       O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC |
				       O_NOFOLLOW,
			       0600);
		if (n->fd >= 0)
			return ERR_OK;
		if (errno == ENOENT) /* the next try will report it */
			err_ignore(mkdirat(d->dir, "tmp", 0700));
	}
	n->name[0] = '\0';
	return err_sys("make a file in", "tmp");
}

static int create(struct messages *ms, unsigned dir, struct message_new *n)
{
	int at, code = sub(of(ms), dir, &at);

	if (code)
		return code;
	n->fd = openat(at, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (n->fd >= 0)
		return ERR_OK;
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
		return err_sys("make a file in", place[dir]);
	return create_named(of(ms), n);
}

static int name(struct messages *ms, struct message_new *n,
		const struct message_ref *r)
{
	struct maildir *d = of(ms);
	char to[MAILDIR_NAME_SIZE], path[40];
	int fd, code = find(d, r, to, &fd);

	if (code)
		return code;
	if (n->name[0])
		return rename_new(d->dir, n->name, fd, to) < 0
			       ? err_sys("name", to)
			       : ERR_OK;
	if (linkat(n->fd, "", fd, to, AT_EMPTY_PATH) == 0)
		return ERR_OK;
	if (errno != ENOENT && errno != EPERM)
		return err_sys("name", to);
	/* Before Linux 6.10 AT_EMPTY_PATH needs a privilege; this does not. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", n->fd);
	return linkat(AT_FDCWD, path, fd, to, AT_SYMLINK_FOLLOW) < 0
		       ? err_sys("name", to)
		       : ERR_OK;
}

static void discard(struct messages *ms, struct message_new *n)
{
	close(n->fd);
	/* After a rename nothing is there under this name. */
	if (n->name[0])
		err_ignore(unlinkat(of(ms)->dir, n->name, 0));
}

static int link_message(struct messages *ms, const struct message_ref *to,
			struct messages *other, const struct message_ref *from)
{
	char new[MAILDIR_NAME_SIZE], old[MAILDIR_NAME_SIZE];
	const char *now = from->raw ? from->raw : old;
	int fd, old_fd, code = find(of(ms), to, new, &fd);

	if (!code)
		code = find(of(other), from, old, &old_fd);
	if (code)
		return code;
	return linkat(old_fd, now, fd, new, 0) < 0 ? err_sys("link", now)
						   : ERR_OK;
}

static int rename_message(struct messages *ms, const struct message_ref *from,
			  const struct message_ref *to)
{
	char old[MAILDIR_NAME_SIZE], new[MAILDIR_NAME_SIZE];
	const char *now = from->raw ? from->raw : old;
	int fd, to_fd, code = find(of(ms), from, old, &fd);

	if (!code)
		code = find(of(ms), to, new, &to_fd);
	if (code)
		return code;
	return rename_new(fd, now, to_fd, new) < 0 ? err_sys("rename", now)
						   : ERR_OK;
}

static int remove_message(struct messages *ms, const struct message_ref *r)
{
	char name_of[MAILDIR_NAME_SIZE];
	const char *now = r->raw ? r->raw : name_of;
	int fd, code = find(of(ms), r, name_of, &fd);

	if (code)
		return code;
	return unlinkat(fd, now, 0) < 0 ? err_sys("remove", now) : ERR_OK;
}

/* Moves it to `tmp`, under a name that no other file has there: its own, or
 * with a number. -1 and errno. */
static int rename_aside(struct maildir *d, int fd, const char *now)
{
	char aside[NAME_MAX + 1];
	unsigned i;
	int n, result = -1;

	errno = EEXIST;
	for (i = 0; result < 0 && errno == EEXIST && i < ASIDE_TRIES; i++) {
		n = snprintf(aside, sizeof(aside), "tmp/%.*s", ASIDE_MAX, now);
		if (i > 0)
			snprintf(aside + n, sizeof(aside) - (size_t)n, ".%u",
				 i);
		result = rename_new(fd, now, d->dir, aside);
	}
	return result;
}

static int put_aside(struct messages *ms, const struct message_ref *r)
{
	struct maildir *d = of(ms);
	char name_of[MAILDIR_NAME_SIZE];
	const char *now = r->raw ? r->raw : name_of;
	int fd, code = find(d, r, name_of, &fd);

	if (code)
		return code;
	if (mkdirat(d->dir, "tmp", 0700) < 0 && errno != EEXIST)
		return err_sys("make", "tmp");
	return rename_aside(d, fd, now) < 0 && errno != ENOENT
		       ? err_sys("put aside", now)
		       : ERR_OK;
}

static int sync_places(struct messages *ms, unsigned dirs)
{
	unsigned i;
	int fd, code = ERR_OK;

	for (i = 0; !code && i < DIRS; i++) {
		if (!(dirs & 1u << i))
			continue;
		code = sub(of(ms), i, &fd);
		if (!code && file_sync(fd) < 0)
			code = err_sys("sync", place[i]);
	}
	return code;
}

static void close_maildir(struct messages *ms)
{
	struct maildir *d = of(ms);
	unsigned i;

	for (i = 0; i < DIRS; i++)
		if (d->sub[i] >= 0)
			close(d->sub[i]);
	free(d);
}

static const struct messages_ops ops = {
	.id = id,
	.token = token,
	.stamps = stamps,
	.exact = exact,
	.list = list,
	.state = state,
	.open = open_message,
	.create = create,
	.name = name,
	.discard = discard,
	.link = link_message,
	.rename = rename_message,
	.remove = remove_message,
	.put_aside = put_aside,
	.sync = sync_places,
	.close = close_maildir,
};

int maildir_make(int dir)
{
	static const char *const dirs[] = { "tmp", "new", "cur" };
	size_t i;

	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (mkdirat(dir, dirs[i], 0700) < 0 && errno != EEXIST)
			return err_sys("make", dirs[i]);
	return ERR_OK;
}

bool maildir_is_of_names(const char *entry)
{
	return entry[0] == '.' || str_equal(entry, MAILDIR_SUBSCRIPTIONS);
}

int maildir_token(int store, const char *folder, struct folder_token *t)
{
	struct stat st;
	int code = ERR_OK;

	t->fd = openat(store, folder,
		       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (t->fd < 0)
		return err_from_errno(errno);
	if (fstat(t->fd, &st) < 0)
		code = err_sys("look at", folder);
	if (code)
		folder_token_end(t);
	else
		t->id = maildir_id(&st);
	return code;
}

int maildir_open(int dir, bool make, struct messages **ms)
{
	struct maildir *d = mem_alloc(sizeof(*d));
	struct stat st;
	int fd, code = ERR_OK;

	d->m.ops = &ops;
	d->dir = dir;
	d->sub[DIR_NEW] = d->sub[DIR_CUR] = -1;
	if (fstat(dir, &st) < 0)
		code = err_sys("look at", "a folder");
	else
		d->id = maildir_id(&st);
	if (make && !code)
		code = sub(d, DIR_CUR, &fd);
	if (make && !code && sub(d, DIR_NEW, &fd) != ERR_OK)
		code = maildir_make(dir);
	if (code) {
		close_maildir(&d->m);
		return code;
	}
	*ms = &d->m;
	return ERR_OK;
}
