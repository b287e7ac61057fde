/*
 * The configuration that master hands on: many services begin at the same
 * moment and read the same open file. None may get a part of it.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "config/config.h"
#include "tap.h"

#define READERS 8
#define ROUNDS 200

static int sealed(const char *of)
{
	static const char *const set[] = { "myhostname=mail.example.test",
					   "virtual_alias_maps=inline:{a=b}" };
	struct buf faults;
	struct config *c;
	int fd = -1;

	buf_init(&faults, 1 << 16);
	c = config_load(of, set, 2, &faults);
	if (c)
		err_ignore(config_seal(c, &fd)); /* then fd is -1 */
	config_free(&c);
	buf_free(&faults);
	return fd;
}

/* Is what is in FD what was sealed? */
static bool whole(int fd)
{
	struct buf faults;
	struct config *c;
	bool good;

	buf_init(&faults, 1 << 16);
	c = config_unseal(fd, &faults);
	good = c &&
	       strcmp(config_string(c, "myhostname"), "mail.example.test") == 0;
	config_free(&c);
	buf_free(&faults);
	return good;
}

static int reader(int fd)
{
	for (int i = 0; i < ROUNDS; i++)
		if (!whole(fd))
			return 1;
	return 0;
}

static void all_at_once(int fd)
{
	pid_t child[READERS];
	int status, failed = 0;

	for (int i = 0; i < READERS; i++)
		if ((child[i] = fork()) == 0)
			_exit(reader(fd));
	for (int i = 0; i < READERS; i++)
		if (waitpid(child[i], &status, 0) < 0 || status != 0)
			failed++;
	ok(failed == 0, "all who read it at the same time get all of it");
}

/* A sealed file with the first N bytes of FD. */
static int part(int fd, size_t n)
{
	char *data = malloc(n + 1);
	int to = memfd_create("part", MFD_ALLOW_SEALING);

	if (pread(fd, data, n, 0) != (ssize_t)n ||
	    write(to, data, n) != (ssize_t)n)
		exit(1);
	fcntl(to, F_ADD_SEALS,
	      F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
	free(data);
	return to;
}

static void parts(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	int taken = 0;

	for (off_t n = 0; n < size; n += n < 300 || n > size - 300 ? 1 : 97) {
		int p = part(fd, (size_t)n);

		taken += whole(p);
		close(p);
	}
	ok(taken == 0, "no part is taken for the whole");
	ok(whole(fd), "wherever its position is, the file is read");
}

int main(void)
{
	char path[] = "/tmp/sealed-test.XXXXXX";
	int fd = mkstemp(path), s = sealed(path);

	ok(s >= 0, "a configuration is sealed");
	all_at_once(s);
	parts(s);
	close(fd);
	unlink(path);
	return done();
}
