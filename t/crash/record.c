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
#include "t/crash/record-put.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int open_at(int at, const char *path, int flags, mode_t mode)
{
	bool changes =
		flags & (O_CREAT | O_TRUNC) || (flags & O_TMPFILE) == O_TMPFILE;
	int fd;

	if (!changes)
		return (int)syscall(SYS_openat, at, path, flags, mode);
	entry_lock(F_WRLCK);
	fd = (int)syscall(SYS_openat, at, path, flags, mode);
	entry_opened(fd, at, path, flags);
	entry_lock(F_UNLCK);
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

	if (entry_is_file(fd, &e))
		entry_lock(how);
}

ssize_t write(int fd, const void *data, size_t size)
{
	struct iovec iov = { (void *)(uintptr_t)data, size };
	ssize_t n;

	lock_file(fd, F_WRLCK);
	n = syscall(SYS_write, fd, data, size);
	entry_written(fd, &iov, 1, -1, n);
	lock_file(fd, F_UNLCK);
	return n;
}

ssize_t writev(int fd, const struct iovec *iov, int count)
{
	ssize_t n;

	lock_file(fd, F_WRLCK);
	n = syscall(SYS_writev, fd, iov, count);
	entry_written(fd, iov, count, -1, n);
	lock_file(fd, F_UNLCK);
	return n;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
	struct iovec iov = { (void *)(uintptr_t)data, size };
	ssize_t n;

	lock_file(fd, F_WRLCK);
	n = syscall(SYS_pwrite64, fd, data, size, at);
	entry_written(fd, &iov, 1, at, n);
	lock_file(fd, F_UNLCK);
	return n;
}

ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t at)
{
	ssize_t n;

	lock_file(fd, F_WRLCK);
	n = syscall(SYS_pwritev, fd, iov, count, at, 0);
	entry_written(fd, iov, count, at, n);
	lock_file(fd, F_UNLCK);
	return n;
}

/* A piece at a time, so that it is a write like others. */
ssize_t sendfile(int out, int in, off_t *at, size_t n)
{
	char piece[65536];
	size_t want = n < sizeof(piece) ? n : sizeof(piece);
	ssize_t got = at ? pread(in, piece, want, *at) : read(in, piece, want);

	if (got > 0)
		got = write(out, piece, (size_t)got);
	if (got > 0 && at)
		*at += got;
	return got;
}

int ftruncate(int fd, off_t length)
{
	int result;

	entry_lock(F_WRLCK);
	result = (int)syscall(SYS_ftruncate, fd, length);
	if (result == 0)
		entry_length(OP_TRUNCATE, fd, 0, length);
	entry_lock(F_UNLCK);
	return result;
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
	struct stat st;
	int result;

	entry_lock(F_WRLCK);
	result = (int)syscall(SYS_fallocate, fd, mode, offset, length);
	if (result == 0 && mode & FALLOC_FL_PUNCH_HOLE)
		entry_length(OP_PUNCH, fd, offset, length);
	else if (result == 0 && !(mode & FALLOC_FL_KEEP_SIZE) &&
		 fstat(fd, &st) == 0)
		entry_length(OP_TRUNCATE, fd, 0, st.st_size);
	entry_lock(F_UNLCK);
	return result;
}

static int sync_by(long call, int fd, int ended)
{
	int result;

	entry_length(OP_SYNC, fd, 0, 0);
	result = (int)syscall(call, fd);
	if (result == 0)
		entry_length(ended, fd, 0, 0);
	return result;
}

int fsync(int fd)
{
	return sync_by(SYS_fsync, fd, OP_SYNCED);
}

int fdatasync(int fd)
{
	return sync_by(SYS_fdatasync, fd, OP_SYNCED);
}

int syncfs(int fd)
{
	return sync_by(SYS_syncfs, fd, OP_SYNCED_ALL);
}

/* Waiting for what is written out is half a sync: see disk.h. */
int sync_file_range(int fd, off_t from, off_t n, unsigned flags)
{
	bool waits = flags & SYNC_FILE_RANGE_WAIT_AFTER && !from && !n;
	int result;

	if (waits)
		entry_length(OP_SYNC, fd, 0, 0);
	result = (int)syscall(SYS_sync_file_range, fd, from, n, flags);
	if (waits && result == 0)
		entry_length(OP_WRITTEN, fd, 0, 0);
	return result;
}

/* The disk of the replay shares no content. */
int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *argument;

	va_start(ap, request);
	argument = va_arg(ap, void *);
	va_end(ap);
	if (request == FICLONE) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return (int)syscall(SYS_ioctl, fd, request, argument);
}

/* Flags that leave both names (RENAME_EXCHANGE) nobody uses. */
int renameat2(int at, const char *from, int at2, const char *to, unsigned flags)
{
	int result;

	entry_lock(F_WRLCK);
	result = (int)syscall(SYS_renameat2, at, from, at2, to, flags);
	if (result == 0)
		entry_rename(at, from, at2, to);
	entry_lock(F_UNLCK);
	return result;
}

int renameat(int at, const char *from, int at2, const char *to)
{
	return renameat2(at, from, at2, to, 0);
}

int rename(const char *from, const char *to)
{
	return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int linkat(int at, const char *from, int at2, const char *to, int flags)
{
	int result;

	entry_lock(F_WRLCK);
	result = (int)syscall(SYS_linkat, at, from, at2, to, flags);
	if (result == 0)
		entry_link(at2, to);
	entry_lock(F_UNLCK);
	return result;
}

int link(const char *from, const char *to)
{
	return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlinkat(int at, const char *path, int flags)
{
	int result;

	entry_lock(F_WRLCK);
	result = (int)syscall(SYS_unlinkat, at, path, flags);
	if (result == 0)
		entry_name(OP_UNLINK, at, path, 0);
	entry_lock(F_UNLCK);
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

	entry_lock(F_WRLCK);
	result = (int)syscall(SYS_mkdirat, at, path, mode);
	if (result == 0 && fstatat(at, path, &st, 0) == 0)
		entry_name(OP_MKDIR, at, path, st.st_ino);
	entry_lock(F_UNLCK);
	return result;
}

int mkdir(const char *path, mode_t mode)
{
	return mkdirat(AT_FDCWD, path, mode);
}

/* Programs close what they inherited: all but the record. */
int close_range(unsigned first, unsigned last, int flags)
{
	unsigned mine = (unsigned)entry_fd();
	int result = 0;

	if (entry_fd() < 0 || mine < first || mine > last)
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
ssize_t sendfile64(int out, int in, off_t *at, size_t n) ALIAS(sendfile);
ssize_t pwrite64(int fd, const void *data, size_t n, off_t at) ALIAS(pwrite);
ssize_t pwritev64(int fd, const struct iovec *iov, int n, off_t at)
	ALIAS(pwritev);
int ftruncate64(int fd, off_t length) ALIAS(ftruncate);
int fallocate64(int fd, int mode, off_t at, off_t n) ALIAS(fallocate);
