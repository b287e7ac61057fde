/*
 * A disk, or memory, that fails for a moment: loaded into qmgr (LD_PRELOAD).
 * While the file UNREAD_DIR/unread is there, no file beside it can be read;
 * what is in it is the errno.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

ssize_t __pread_chk(int fd, void *data, size_t n, off_t at, size_t size);

/* The errno of reading FD now, 0 if it can be read. */
static int trouble(int fd)
{
	const char *dir = getenv("UNREAD_DIR");
	struct stat here, st;
	char path[300], text[16] = "";
	int sign;

	if (!dir || snprintf(path, sizeof(path), "%s/unread", dir) < 0)
		return 0;
	sign = open(path, O_RDONLY | O_CLOEXEC);
	if (sign < 0)
		return 0;
	if (read(sign, text, sizeof(text) - 1) < 0 || fstat(sign, &here) < 0)
		abort();
	close(sign);
	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
			       st.st_dev == here.st_dev
		       ? atoi(text)
		       : 0;
}

ssize_t pread(int fd, void *data, size_t n, off_t at)
{
	int errnum = trouble(fd);

	if (errnum) {
		errno = errnum;
		return -1;
	}
	return syscall(SYS_pread64, fd, data, n, at);
}

ssize_t __pread_chk(int fd, void *data, size_t n, off_t at, size_t size)
{
	if (n > size)
		abort();
	return pread(fd, data, n, at);
}
