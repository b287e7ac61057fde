/*
 * Records file operations of the program that it is loaded into
 * (LD_PRELOAD), with offsets and data, into the file CRASH_RECORD names; see
 * record.h. The suite's master hands the environment on, so all services are
 * recorded; the descriptor is opened before they give up their rights.
 *
 * An operation and its entry happen under one lock of all processes, so the
 * record has the order in which they happened. Only a sync, which takes long,
 * does not: it is recorded before and after, so the record may say that less
 * was synced than was, never more.
 */
#include "t/crash/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define RECORD_FD 700 /* above all that programs look at */
#define PARTS_MAX 64

static struct {
	int fd;
	ino_t ino;
} self = { .fd = -1 };

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
}

/* Before an operation that is recorded, and after its entry. A lock of the
 * process (not of the open file, which all have from master), and gone with
 * it if it is killed. */
static void lock(short how)
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
static bool is_file(int fd, struct record_entry *e)
{
	int saved = errno;
	struct stat st;
	bool good = self.fd >= 0 && fstat(fd, &st) == 0 &&
		    (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) &&
		    st.st_ino != self.ino;

	errno = saved;
	if (good)
		*e = (struct record_entry){ .ino = st.st_ino };
	return good;
}

/* The folder that PATH is in: its inode and time; the name itself. */
static const char *folder_of(int at, const char *path, uint64_t *ino,
			     int64_t *mtime)
{
	const char *slash = strrchr(path, '/');
	char dir[4096] = ".";
	struct stat st = { .st_ino = 0 };

	if (slash && (size_t)(slash - path) < sizeof(dir)) {
		memcpy(dir, path, (size_t)(slash - path));
		dir[slash - path] = '\0';
		if (slash == path)
			strcpy(dir, "/");
	}
	if (fstatat(at, dir, &st, 0) < 0)
		st.st_ino = 0;
	*ino = st.st_ino;
	*mtime = time_of(&st);
	return slash ? slash + 1 : path;
}

/* A change of one name. */
static void put_name(int type, int at, const char *path, uint64_t ino)
{
	struct record_entry e = { .type = (uint32_t)type, .ino = ino };
	int saved = errno;
	const char *name = folder_of(at, path, &e.dir, &e.mtime);

	put(&e, name, NULL, NULL, 0);
	errno = saved;
}

static void put_length(int type, int fd, off_t offset, off_t length)
{
	struct record_entry e;

	if (!is_file(fd, &e))
		return;
	e.type = (uint32_t)type;
	e.offset = offset;
	e.length = length;
	put(&e, NULL, NULL, NULL, 0);
}

static void put_opened(int fd, int at, const char *path, int flags)
{
	struct record_entry e;

	if (!is_file(fd, &e))
		return;
	e.type = OP_UNNAMED;
	if ((flags & O_TMPFILE) == O_TMPFILE)
		put(&e, NULL, NULL, NULL, 0);
	else if (flags & O_CREAT)
		put_name(OP_CREATE, at, path, e.ino);
	if (flags & O_TRUNC)
		put_length(OP_TRUNCATE, fd, 0, 0);
}

static int open_at(int at, const char *path, int flags, mode_t mode)
{
	bool changes = flags & (O_CREAT | O_TRUNC) ||
		       (flags & O_TMPFILE) == O_TMPFILE;
	int fd;

	if (!changes)
		return (int)syscall(SYS_openat, at, path, flags, mode);
	lock(F_WRLCK);
	fd = (int)syscall(SYS_openat, at, path, flags, mode);
	if (fd >= 0 && self.fd >= 0)
		put_opened(fd, at, path, flags);
	lock(F_UNLCK);
	return fd;
}

static mode_t mode_of(int flags, va_list ap)
{
	return flags & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(ap, int) : 0;
}

int open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return open_at(AT_FDCWD, path, flags, mode);
}

int openat(int at, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return open_at(at, path, flags, mode);
}

int __open_2(const char *path, int flags);
int __open_2(const char *path, int flags)
{
	return open_at(AT_FDCWD, path, flags, 0);
}

int __openat_2(int at, const char *path, int flags);
int __openat_2(int at, const char *path, int flags)
{
	return open_at(at, path, flags, 0);
}

/* A write elsewhere may wait for another process: it must not hold the lock. */
static void lock_file(int fd, short how)
{
	struct record_entry e;

	if (is_file(fd, &e))
		lock(how);
}

/* What WRITTEN bytes of IOV[N] at OFFSET changed. */
static void put_written(int fd, const struct iovec *iov, int n, off_t offset,
			ssize_t written)
{
	struct iovec part[PARTS_MAX];
	struct record_entry e;
	size_t left = (size_t)written;
	int used = 0;

	if (written <= 0 || !is_file(fd, &e))
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

ssize_t write(int fd, const void *data, size_t size)
{
	struct iovec iov = { (void *)(uintptr_t)data, size };
	ssize_t n;

	lock_file(fd, F_WRLCK);
	n = syscall(SYS_write, fd, data, size);
	put_written(fd, &iov, 1, -1, n);
	lock_file(fd, F_UNLCK);
	return n;
}

ssize_t writev(int fd, const struct iovec *iov, int count)
{
	ssize_t n;

	lock_file(fd, F_WRLCK);
	n = syscall(SYS_writev, fd, iov, count);
	put_written(fd, iov, count, -1, n);
	lock_file(fd, F_UNLCK);
	return n;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
	struct iovec iov = { (void *)(uintptr_t)data, size };
	ssize_t n;

	lock_file(fd, F_WRLCK);
	n = syscall(SYS_pwrite64, fd, data, size, at);
	put_written(fd, &iov, 1, at, n);
	lock_file(fd, F_UNLCK);
	return n;
}

ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t at)
{
	ssize_t n;

	lock_file(fd, F_WRLCK);
	n = syscall(SYS_pwritev, fd, iov, count, at, 0);
	put_written(fd, iov, count, at, n);
	lock_file(fd, F_UNLCK);
	return n;
}

int ftruncate(int fd, off_t length)
{
	int result;

	lock(F_WRLCK);
	result = (int)syscall(SYS_ftruncate, fd, length);
	if (result == 0)
		put_length(OP_TRUNCATE, fd, 0, length);
	lock(F_UNLCK);
	return result;
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
	struct stat st;
	int result;

	lock(F_WRLCK);
	result = (int)syscall(SYS_fallocate, fd, mode, offset, length);
	if (result == 0 && mode & FALLOC_FL_PUNCH_HOLE)
		put_length(OP_PUNCH, fd, offset, length);
	else if (result == 0 && !(mode & FALLOC_FL_KEEP_SIZE) &&
		 fstat(fd, &st) == 0)
		put_length(OP_TRUNCATE, fd, 0, st.st_size);
	lock(F_UNLCK);
	return result;
}

static int sync_by(long call, int fd)
{
	int result;

	put_length(OP_SYNC, fd, 0, 0);
	result = (int)syscall(call, fd);
	if (result == 0)
		put_length(OP_SYNCED, fd, 0, 0);
	return result;
}

int fsync(int fd)
{
	return sync_by(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	return sync_by(SYS_fdatasync, fd);
}

int renameat(int at, const char *from, int at2, const char *to)
{
	struct record_entry e = { .type = OP_RENAME };
	const char *name, *name2;
	int result;

	lock(F_WRLCK);
	result = (int)syscall(SYS_renameat2, at, from, at2, to, 0);
	if (result == 0 && self.fd >= 0) {
		name = folder_of(at, from, &e.dir, &e.mtime);
		name2 = folder_of(at2, to, &e.dir2, &e.mtime2);
		put(&e, name, name2, NULL, 0);
	}
	lock(F_UNLCK);
	return result;
}

int rename(const char *from, const char *to)
{
	return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int linkat(int at, const char *from, int at2, const char *to, int flags)
{
	struct record_entry e = { .type = OP_LINK };
	const char *name2;
	struct stat st;
	int result;

	lock(F_WRLCK);
	result = (int)syscall(SYS_linkat, at, from, at2, to, flags);
	if (result == 0 && self.fd >= 0) {
		name2 = folder_of(at2, to, &e.dir2, &e.mtime2);
		if (fstatat(at2, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
			e.ino = st.st_ino;
		put(&e, NULL, name2, NULL, 0);
	}
	lock(F_UNLCK);
	return result;
}

int link(const char *from, const char *to)
{
	return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlinkat(int at, const char *path, int flags)
{
	int result;

	lock(F_WRLCK);
	result = (int)syscall(SYS_unlinkat, at, path, flags);
	if (result == 0 && self.fd >= 0)
		put_name(OP_UNLINK, at, path, 0);
	lock(F_UNLCK);
	return result;
}

int unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
	return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int mkdirat(int at, const char *path, mode_t mode)
{
	struct stat st;
	int result;

	lock(F_WRLCK);
	result = (int)syscall(SYS_mkdirat, at, path, mode);
	if (result == 0 && self.fd >= 0 && fstatat(at, path, &st, 0) == 0)
		put_name(OP_MKDIR, at, path, st.st_ino);
	lock(F_UNLCK);
	return result;
}

int mkdir(const char *path, mode_t mode)
{
	return mkdirat(AT_FDCWD, path, mode);
}

/* Programs close what they inherited: all but the record. */
int close_range(unsigned first, unsigned last, int flags)
{
	unsigned mine = (unsigned)self.fd;
	int result = 0;

	if (self.fd < 0 || mine < first || mine > last)
		return (int)syscall(SYS_close_range, first, last, flags);
	if (first < mine)
		result = (int)syscall(SYS_close_range, first, mine - 1, flags);
	if (result == 0 && mine < last)
		result = (int)syscall(SYS_close_range, mine + 1, last, flags);
	return result;
}

/* On systems where these are names of their own. */
#define ALIAS(of) __attribute__((alias(#of)))
int open64(const char *path, int flags, ...) ALIAS(open);
int openat64(int at, const char *path, int flags, ...) ALIAS(openat);
int __open64_2(const char *path, int flags) ALIAS(__open_2);
int __openat64_2(int at, const char *path, int flags) ALIAS(__openat_2);
ssize_t pwrite64(int fd, const void *data, size_t n, off_t at) ALIAS(pwrite);
ssize_t pwritev64(int fd, const struct iovec *iov, int n, off_t at)
	ALIAS(pwritev);
int ftruncate64(int fd, off_t length) ALIAS(ftruncate);
int fallocate64(int fd, int mode, off_t at, off_t n) ALIAS(fallocate);
