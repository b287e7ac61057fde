/*
 * A wall clock that a test can set: loaded into a program (LD_PRELOAD), told
 * by the file SHIFT_FILE, which holds one int64_t, seconds to add.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static struct {
	const volatile int64_t *shift;
} self;

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("SHIFT_FILE");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *p;

	if (fd < 0)
		return;
	p = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
	if (p != MAP_FAILED)
		self.shift = p;
	close(fd);
}

static int64_t shift(void)
{
	return self.shift ? *self.shift : 0;
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
	int r = (int)syscall(SYS_clock_gettime, clock, t);

	if (r == 0 &&
	    (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		t->tv_sec += shift();
	return r;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone)
{
	int r = (int)syscall(SYS_gettimeofday, t, zone);

	if (r == 0)
		t->tv_sec += shift();
	return r;
}

time_t time(time_t *out)
{
	time_t now = (time_t)syscall(SYS_time, NULL) + shift();

	if (out)
		*out = now;
	return now;
}
