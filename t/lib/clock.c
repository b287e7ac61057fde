/*
 * Shifts the wall clock of one program while it runs; the monotonic clock
 * stays. Loaded into all programs (LD_PRELOAD); each maps the file of its own
 * name in the folder CLOCK_SHIFTS, if there is one: a number of seconds, 64
 * bits, which a test changes as it likes.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static struct {
	const volatile int64_t *shift;
	int (*get)(clockid_t id, struct timespec *t);
} self;

__attribute__((constructor)) static void begin(void)
{
	const char *folder = getenv("CLOCK_SHIFTS");
	char path[4096];
	void *map;
	int fd;

	self.get = (int (*)(clockid_t, struct timespec *))dlsym(
		RTLD_NEXT, "clock_gettime");
	if (!folder)
		return;
	snprintf(path, sizeof(path), "%s/%s", folder,
		 program_invocation_short_name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	map = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
	if (map != MAP_FAILED)
		self.shift = map;
	close(fd);
}

int clock_gettime(clockid_t id, struct timespec *t)
{
	int result = self.get ? self.get(id, t) : -1;

	if (result == 0 && self.shift &&
	    (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		t->tv_sec += *self.shift;
	return result;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec t;

	(void)zone;
	if (clock_gettime(CLOCK_REALTIME, &t) < 0)
		return -1;
	tv->tv_sec = t.tv_sec;
	tv->tv_usec = t.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *out)
{
	struct timespec t = { 0, 0 };

	clock_gettime(CLOCK_REALTIME, &t);
	if (out)
		*out = t.tv_sec;
	return t.tv_sec;
}
