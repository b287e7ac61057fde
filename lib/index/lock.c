#include "index/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"

int lock_open(int dir, const char *name)
{
	return openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
		      0600);
}

static int lock_try(int fd, short type)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET };

	if (fcntl(fd, F_OFD_SETLK, &l) == 0)
		return ERR_OK;
	return errno == EAGAIN || errno == EACCES || errno == EINTR
		       ? ERR_BUSY
		       : err_sys("lock", "a folder");
}

int lock_take(int fd, int64_t ms)
{
	int64_t until = 0;
	long wait = 50000; /* nanoseconds; holders need microseconds */

	for (;;) {
		struct timespec t = { .tv_nsec = wait };
		int code = lock_try(fd, F_WRLCK);

		if (code != ERR_BUSY)
			return code;
		if (until == 0)
			until = clock_ms() + ms;
		else if (clock_ms() >= until)
			return err_set(ERR_BUSY, "a folder is locked by "
						 "another process");
		nanosleep(&t, NULL);
		wait += wait / 2;
		if (wait > LOCK_LOOK_MS * 1000000L)
			wait = LOCK_LOOK_MS * 1000000L;
	}
}

void lock_release(int fd)
{
	lock_try(fd, F_UNLCK);
}
