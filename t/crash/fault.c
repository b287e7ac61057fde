/*
 * Makes one call of the suite fail, or kills the process at it: loaded into
 * the services like record.c, told by the file CRASH_FAULT what to do.
 */
#include "t/crash/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static struct {
	struct fault *plan;
} self;

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("CRASH_FAULT");
	void *p;
	int fd;

	if (!path || !getenv("POSTHORN_LISTEN"))
		return;
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	p = mmap(NULL, sizeof(struct fault), PROT_READ | PROT_WRITE, MAP_SHARED,
		 fd, 0);
	if (p != MAP_FAILED)
		self.plan = p;
	close(fd);
}

/* Does this call of CLASS fail? errno is set then. */
static bool fails(unsigned class)
{
	struct fault *f = self.plan;

	if (!f || !(f->mask & class) ||
	    (f->program[0] &&
	     strcmp(f->program, program_invocation_short_name) != 0))
		return false;
	if (__atomic_sub_fetch(&f->left, 1, __ATOMIC_SEQ_CST) != 0)
		return false;
	__atomic_add_fetch(&f->fired, 1, __ATOMIC_SEQ_CST);
	if (f->error == 0)
		syscall(SYS_kill, getpid(), SIGKILL);
	errno = f->error;
	return true;
}

static bool fails_on(unsigned class, int fd)
{
	int saved = errno;
	struct stat st;
	bool file = self.plan && self.plan->mask & class &&
		    fstat(fd, &st) == 0 &&
		    (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) &&
		    st.st_ino != self.plan->spared;

	errno = saved;
	return file && fails(class);
}

static int open_at(int at, const char *path, int flags, mode_t mode)
{
	if (fails(FAULT_OPEN))
		return -1;
	return (int)syscall(SYS_openat, at, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = flags & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(ap, int) : 0;
	va_end(ap);
	return open_at(AT_FDCWD, path, flags, mode);
}

int openat(int at, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = flags & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(ap, int) : 0;
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

ssize_t write(int fd, const void *data, size_t n)
{
	return fails_on(FAULT_WRITE, fd) ? -1 : syscall(SYS_write, fd, data, n);
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
	return fails_on(FAULT_WRITE, fd) ? -1 : syscall(SYS_writev, fd, iov, n);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t at)
{
	return fails_on(FAULT_WRITE, fd)
		       ? -1
		       : syscall(SYS_pwrite64, fd, data, n, at);
}

ssize_t pwritev(int fd, const struct iovec *iov, int n, off_t at)
{
	return fails_on(FAULT_WRITE, fd)
		       ? -1
		       : syscall(SYS_pwritev, fd, iov, n, at, 0);
}

int fsync(int fd)
{
	return fails_on(FAULT_SYNC, fd) ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	return fails_on(FAULT_SYNC, fd) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int syncfs(int fd)
{
	return fails_on(FAULT_SYNC, fd) ? -1 : (int)syscall(SYS_syncfs, fd);
}

int sync_file_range(int fd, off_t from, off_t n, unsigned how)
{
	/* one that waits for nothing tells of nothing */
	if (how & SYNC_FILE_RANGE_WAIT_AFTER && fails_on(FAULT_SYNC, fd))
		return -1;
	return (int)syscall(SYS_sync_file_range, fd, from, n, how);
}

int renameat2(int at, const char *from, int at2, const char *to,
	      unsigned flags)
{
	if (fails(FAULT_NAME))
		return -1;
	return (int)syscall(SYS_renameat2, at, from, at2, to, flags);
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
	if (fails(FAULT_NAME))
		return -1;
	return (int)syscall(SYS_linkat, at, from, at2, to, flags);
}

int mkdirat(int at, const char *path, mode_t mode)
{
	if (fails(FAULT_NAME))
		return -1;
	return (int)syscall(SYS_mkdirat, at, path, mode);
}

int mkdir(const char *path, mode_t mode)
{
	return mkdirat(AT_FDCWD, path, mode);
}

/* Packets fail only by the end of the process. */
ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	if (fails(FAULT_PACKET))
		return -1;
	return syscall(SYS_sendmsg, fd, m, flags);
}

ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
	if (fails(FAULT_PACKET))
		return -1;
	return syscall(SYS_recvmsg, fd, m, flags);
}

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);

void *malloc(size_t n)
{
	return fails(FAULT_ALLOC) ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return fails(FAULT_ALLOC) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	return fails(FAULT_ALLOC) ? NULL : __libc_realloc(p, n);
}

#define ALIAS(of) __attribute__((alias(#of)))
int open64(const char *path, int flags, ...) ALIAS(open);
int openat64(int at, const char *path, int flags, ...) ALIAS(openat);
int __open64_2(const char *path, int flags) ALIAS(__open_2);
int __openat64_2(int at, const char *path, int flags) ALIAS(__openat_2);
ssize_t pwrite64(int fd, const void *data, size_t n, off_t at) ALIAS(pwrite);
ssize_t pwritev64(int fd, const struct iovec *iov, int n, off_t at)
	ALIAS(pwritev);
