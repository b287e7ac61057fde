/*
 * A queue scan that a test can hold: loaded into qmgr (LD_PRELOAD). While the
 * file GATE_DIR/begin is there, the folder `queue` seems to go on and on with
 * nothing of interest; while GATE_DIR/end is there, it does so after its last
 * entry, and GATE_DIR/at-end is made.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct dirent *reader(DIR *d);

static bool is_closed(const char *gate, int flags)
{
	const char *dir = getenv("GATE_DIR");
	char path[300];
	int fd;

	if (!dir)
		return false;
	snprintf(path, sizeof(path), "%s/%s", dir, gate);
	fd = open(path, O_RDONLY | O_CLOEXEC | flags, 0600);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool is_queue(DIR *d)
{
	struct stat a, b;

	return fstat(dirfd(d), &a) == 0 && stat("queue", &b) == 0 &&
	       a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

static struct dirent *read_gated(DIR *d, reader *next)
{
	static struct dirent nothing = { .d_type = DT_DIR, .d_name = "." };
	struct dirent *e = &nothing;
	int was = errno; /* that it is as before says "no error" */

	if (!is_queue(d)) {
		errno = was;
		return next(d);
	}
	if (!is_closed("begin", 0)) {
		errno = was;
		e = next(d);
		was = errno;
	}
	if (!e && is_closed("end", 0)) {
		is_closed("at-end", O_CREAT);
		e = &nothing;
	}
	if (e == &nothing)
		usleep(1000);
	errno = was;
	return e;
}

struct dirent *readdir(DIR *d)
{
	return read_gated(d, (reader *)dlsym(RTLD_NEXT, "readdir"));
}

struct dirent64 *readdir64(DIR *d)
{
	return (struct dirent64 *)read_gated(
		d, (reader *)dlsym(RTLD_NEXT, "readdir64"));
}
