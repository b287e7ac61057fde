/*
 * Writes entries of the record (record.h) from inside any process of the suite.
 *
 * Programs must not notice: errno stays as it was, and the record's descriptor
 * is above all that they look at. An entry is one writev to a file that is open
 * with O_APPEND, under a lock, so entries of several processes do not mix. What
 * cannot be written ends the process, since a gap proves nothing.
 */
#include "t/crash/record-put.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RECORD_FD 700 /* above all that programs look at */
#define PARTS_MAX 64
#define TREES_MAX 4
#define PATH_SIZE 4096
#define DEPTH_MAX 8 /* of a folder in a tree, at most */

static struct {
	int fd;
	ino_t ino;
	struct stat tree[TREES_MAX];
	size_t ntrees;
} self = { .fd = -1 };

/* The trees that are recorded: CRASH_TREES, their paths with colons. */
static void find_trees(void)
{
	const char *trees = getenv("CRASH_TREES");
	char *copy = trees ? strdup(trees) : NULL, *rest = copy, *path;

	while (copy && self.ntrees < TREES_MAX && (path = strsep(&rest, ":")))
		if (stat(path, &self.tree[self.ntrees]) == 0)
			self.ntrees++;
	free(copy);
}

static bool on_their_disk(const struct stat *st)
{
	for (size_t i = 0; i < self.ntrees; i++)
		if (self.tree[i].st_dev == st->st_dev)
			return true;
	return false;
}

/* Is the folder DIR in a tree? So that what happens there, and is not known
 * from the record, is seen as a gap. */
static bool is_inside(int at, const char *dir)
{
	char up[PATH_SIZE + 3 * DEPTH_MAX + 1];
	struct stat st;

	strcpy(up, dir);
	for (int i = 0; i < DEPTH_MAX && fstatat(at, up, &st, 0) == 0; i++) {
		for (size_t k = 0; k < self.ntrees; k++)
			if (self.tree[k].st_ino == st.st_ino &&
			    self.tree[k].st_dev == st.st_dev)
				return true;
		strcat(up, "/..");
	}
	return false;
}

/* Only what master started: it sets POSTHORN_LISTEN. Tests that run alone
 * ask with CRASH_RECORD_ALL. */
__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("CRASH_RECORD");
	struct stat st;
	int fd;

	if (!path ||
	    (!getenv("POSTHORN_LISTEN") && !getenv("CRASH_RECORD_ALL")))
		return;
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0)
		return;
	self.fd = fcntl(fd, F_DUPFD, RECORD_FD);
	close(fd);
	if (self.fd >= 0 && fstat(self.fd, &st) == 0)
		self.ino = st.st_ino;
	find_trees();
}

/* Before an operation that is recorded, and after its entry. A lock of the
 * process (not of the open file, which all have from master), and gone with
 * it if it is killed. */
void entry_lock(short how)
{
	struct flock all = { .l_type = how, .l_whence = SEEK_SET };
	int saved = errno;

	if (self.fd < 0)
		return;
	while (fcntl(self.fd, F_SETLKW, &all) < 0)
		if (errno != EINTR)
			abort(); /* an order by chance proves nothing */
	errno = saved;
}

/* One write, so that entries of several processes never mix. */
static void put(struct record_entry *e, const char *name, const char *name2,
		const struct iovec *data, int n)
{
	struct iovec iov[PARTS_MAX + 3];
	int saved = errno;

	e->magic = RECORD_MAGIC;
	e->pid = (uint32_t)getpid();
	e->nname = (uint16_t)(name ? strlen(name) : 0);
	e->nname2 = (uint16_t)(name2 ? strlen(name2) : 0);
	e->total = sizeof(*e) + e->nname + e->nname2 + e->ndata;
	iov[0] = (struct iovec){ e, sizeof(*e) };
	iov[1] = (struct iovec){ (void *)(uintptr_t)name, e->nname };
	iov[2] = (struct iovec){ (void *)(uintptr_t)name2, e->nname2 };
	for (int i = 0; i < n; i++)
		iov[3 + i] = data[i];
	if (syscall(SYS_writev, self.fd, iov, 3 + n) != (long)e->total)
		abort(); /* a record with a gap proves nothing */
	errno = saved;
}

static int64_t time_of(const struct stat *st)
{
	return st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec;
}

/* The file of FD, if it is one that is recorded. */
bool entry_is_file(int fd, struct record_entry *e)
{
	int saved = errno;
	struct stat st;
	bool good = self.fd >= 0 && fstat(fd, &st) == 0 &&
		    (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) &&
		    on_their_disk(&st) && st.st_ino != self.ino;

	errno = saved;
	if (good)
		*e = (struct record_entry){ .ino = st.st_ino };
	return good;
}

/* The folder that PATH is in: its inode and time, is it inside; the name. */
static const char *folder_of(int at, const char *path, uint64_t *ino,
			     int64_t *mtime, uint32_t *inside)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_SIZE] = ".";
	struct stat st = { .st_ino = 0 };

	if (slash && (size_t)(slash - path) < sizeof(dir)) {
		memcpy(dir, path, (size_t)(slash - path));
		dir[slash - path] = '\0';
		if (slash == path)
			strcpy(dir, "/");
	}
	if (fstatat(at, dir, &st, 0) < 0 || !on_their_disk(&st))
		st.st_ino = 0;
	*ino = st.st_ino;
	*mtime = time_of(&st);
	*inside = is_inside(at, dir);
	return slash ? slash + 1 : path;
}

/* A change of one name. */
void entry_name(int type, int at, const char *path, uint64_t ino)
{
	struct record_entry e = { .type = (uint32_t)type, .ino = ino };
	int saved = errno;
	const char *name;

	if (self.fd < 0)
		return;
	name = folder_of(at, path, &e.dir, &e.mtime, &e.inside);
	put(&e, name, NULL, NULL, 0);
	errno = saved;
}

void entry_length(int type, int fd, off_t offset, off_t length)
{
	struct record_entry e;

	if (!entry_is_file(fd, &e))
		return;
	e.type = (uint32_t)type;
	e.offset = offset;
	e.length = length;
	put(&e, NULL, NULL, NULL, 0);
}

void entry_opened(int fd, int at, const char *path, int flags)
{
	struct record_entry e;

	if (self.fd < 0 || fd < 0 || !entry_is_file(fd, &e))
		return;
	e.type = OP_UNNAMED;
	if ((flags & O_TMPFILE) == O_TMPFILE)
		put(&e, NULL, NULL, NULL, 0);
	else if (flags & O_CREAT)
		entry_name(OP_CREATE, at, path, e.ino);
	if (flags & O_TRUNC)
		entry_length(OP_TRUNCATE, fd, 0, 0);
}

void entry_rename(int at, const char *from, int at2, const char *to)
{
	struct record_entry e = { .type = OP_RENAME };
	const char *name, *name2;

	if (self.fd < 0)
		return;
	name = folder_of(at, from, &e.dir, &e.mtime, &e.inside);
	name2 = folder_of(at2, to, &e.dir2, &e.mtime2, &e.inside2);
	put(&e, name, name2, NULL, 0);
}

void entry_link(int at, const char *to)
{
	struct record_entry e = { .type = OP_LINK };
	const char *name2;
	struct stat st;

	if (self.fd < 0)
		return;
	name2 = folder_of(at, to, &e.dir2, &e.mtime2, &e.inside2);
	if (fstatat(at, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
		e.ino = st.st_ino;
	put(&e, NULL, name2, NULL, 0);
}

/* What WRITTEN bytes of IOV[N] at OFFSET changed. */
void entry_written(int fd, const struct iovec *iov, int n, off_t offset,
		   ssize_t written)
{
	struct iovec part[PARTS_MAX];
	struct record_entry e;
	size_t left = (size_t)written;
	int used = 0;

	if (written <= 0 || !entry_is_file(fd, &e))
		return;
	if (offset < 0)
		offset = lseek(fd, 0, SEEK_CUR) - written;
	e.type = OP_WRITE;
	e.offset = offset;
	e.ndata = left;
	for (int i = 0; i < n && left > 0; i++) {
		if (used == PARTS_MAX)
			abort();
		part[used] = iov[i];
		if (part[used].iov_len > left)
			part[used].iov_len = left;
		left -= part[used++].iov_len;
	}
	put(&e, NULL, NULL, part, used);
}

int entry_fd(void)
{
	return self.fd;
}
