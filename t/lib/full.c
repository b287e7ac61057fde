/*
 * A disk that has no room left: loaded into qmgr (LD_PRELOAD). While the file
 * FULL_DIR/full is there, no space can be reserved; holes can be made.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool is_full(void)
{
	const char *dir = getenv("FULL_DIR");
	char path[300];

	if (!dir)
		return false;
	snprintf(path, sizeof(path), "%s/full", dir);
	return access(path, F_OK) == 0;
}

int fallocate(int fd, int mode, off_t at, off_t size)
{
	if (!(mode & FALLOC_FL_PUNCH_HOLE) && is_full()) {
		errno = ENOSPC;
		return -1;
	}
	return (int)syscall(SYS_fallocate, fd, mode, at, size);
}
