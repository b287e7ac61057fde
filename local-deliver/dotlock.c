#include "local-deliver/dotlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "log/log.h"

#define WAIT_MS 60000
#define STALE_S 600

static void pause_ms(long ms)
{
	struct timespec t = { 0, ms * 1000000L };

	nanosleep(&t, NULL);
}

static int lock_fcntl(int fd, const char *path, int64_t until)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	while (fcntl(fd, F_SETLK, &l) < 0) {
		if (errno != EACCES && errno != EAGAIN && errno != EINTR)
			return err_sys("lock", path);
		if (clock_ms() > until)
			return err_set(ERR_BUSY, "%s is locked", path);
		pause_ms(100);
	}
	return ERR_OK;
}

static void remove_stale(const char *lock)
{
	struct stat st;

	if (lstat(lock, &st) < 0 || st.st_mtime + STALE_S >= clock_wall())
		return;
	if (unlink(lock) < 0)
		log_warn("cannot remove %s, which is old: %m", lock);
}

static int lock_dot(const char *lock, int64_t until, bool *dot)
{
	for (;;) {
		int fd = open(lock, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
			      0444);

		if (fd >= 0) {
			close(fd);
			*dot = true;
			return ERR_OK;
		}
		/* we may not write in its folder: the other lock must do */
		if (errno == EACCES || errno == EPERM || errno == EROFS)
			return ERR_OK;
		if (errno != EEXIST)
			return err_sys("make", lock);
		remove_stale(lock);
		if (clock_ms() > until)
			return err_set(ERR_BUSY, "%s is there", lock);
		pause_ms(200);
	}
}

int dotlock_take(int fd, const char *path, bool *dot)
{
	int64_t until = clock_ms() + WAIT_MS;
	char *lock = mem_printf("%s.lock", path);
	int err = lock_fcntl(fd, path, until);

	*dot = false;
	if (!err)
		err = lock_dot(lock, until, dot);
	free(lock);
	return err;
}

void dotlock_drop(const char *path, bool dot)
{
	char *lock;

	if (!dot)
		return;
	lock = mem_printf("%s.lock", path);
	if (unlink(lock) < 0)
		log_warn("cannot remove %s, which is ours: %m", lock);
	free(lock);
}
