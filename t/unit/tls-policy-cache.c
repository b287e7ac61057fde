/*
 * What is kept of policies: all that was put is there again, whatever a power
 * cut left of the last line, and most of it if the file is damaged; and the
 * file does not grow for ever.
 * link: remote-send/tls-policy-cache.c
 */
#include "remote-send/tls-policy-cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "t/unit/tap.h"

#define NOW 1700000000
#define HEAD 44 /* bytes of the first line */

static char *dir, *path, *second;

static void put(struct cache *c, const char *domain, int id)
{
	struct sts_policy p = { .mode = POLICY_TESTING, .max_age = 20000000 };
	char text[STS_ID_SIZE];

	snprintf(text, sizeof(text), "%d", id);
	strlist_add(&p.mx, "*.example.test");
	strlist_add(&p.mx, "mx.example.test");
	cache_put(c, domain, text, &p, NOW);
	strlist_free(&p.mx);
}

/* The id of DOMAIN's policy; 0: there is none, -1: it is another one. */
static int id_of(struct cache *c, const char *domain)
{
	const struct cached_policy *e = cache_get(c, domain, NOW + 1);

	if (!e)
		return 0;
	return e->policy.mode == POLICY_TESTING &&
			       e->policy.max_age == 20000000 &&
			       e->fetched == NOW && e->policy.mx.n == 2 &&
			       strcmp(e->policy.mx.item[1],
				      "mx.example.test") == 0
		       ? atoi(e->id)
		       : -1;
}

/* The ids of three domains, as one number, after a restart. */
static int after_restart(void)
{
	struct cache *c = cache_open(path);
	int ids = id_of(c, "a.test") * 100 + id_of(c, "b.test") * 10 +
		  id_of(c, "c.test");

	cache_close(&c);
	return ids;
}

static off_t size_of(const char *file)
{
	struct stat st;

	return stat(file, &st) < 0 ? -1 : st.st_size;
}

/* How many files were put aside; they are removed. */
static int put_aside(void)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int n = 0;

	while ((e = readdir(d)))
		if (strstr(e->d_name, ".damaged-")) {
			unlinkat(dirfd(d), e->d_name, 0);
			n++;
		}
	closedir(d);
	return n;
}

/* Files with three policies. */
static void begin(void)
{
	struct cache *c;

	unlink(path);
	unlink(second);
	c = cache_open(path);
	put(c, "a.test", 9);
	put(c, "b.test", 2);
	put(c, "c.test", 3);
	put(c, "a.test", 1);
	cache_close(&c);
}

static void cut(const char *file, off_t size)
{
	if (truncate(file, size) < 0)
		perror(file);
}

static int number_of(const char *file)
{
	char head[HEAD + 1] = "";
	int fd = open(file, O_RDONLY);

	if (pread(fd, head, HEAD, 0) < 0)
		perror(file);
	close(fd);
	return atoi(head + HEAD - 11);
}

static void overwrite(off_t at, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (pwrite(fd, text, strlen(text), at) < 0)
		perror(path);
	close(fd);
}

static void test_kept(void)
{
	begin();
	ok(after_restart() == 123, "the last of each domain is kept");
	ok(put_aside() == 0, "nothing is put aside");
}

/* At each size that a power cut could leave of the last line. */
static void test_torn(void)
{
	off_t end;
	int bad = 0, n = 0;

	begin();
	for (end = size_of(path) - 1;; end--, n++) {
		struct cache *c;
		char last;
		int fd = open(path, O_RDWR);

		if (pread(fd, &last, 1, end - 1) != 1 || last == '\n')
			break;
		close(fd);
		cut(path, end);
		bad += after_restart() != 923;
		if (end % 8)
			continue;
		c = cache_open(path);
		put(c, "a.test", 1);
		cache_close(&c);
		bad += after_restart() != 123;
	}
	ok(bad == 0 && n > 40 && put_aside() == 0,
	   "what is left of a line is none, and the next takes its place: "
	   "%d of %d",
	   bad, n);
}

static void test_damaged(void)
{
	begin();
	overwrite(HEAD + 20, "X"); /* of the first line, for a.test */
	ok(after_restart() == 123 && put_aside() == 1 && after_restart() == 123,
	   "a damaged line in the middle: the others are kept");
	begin();
	overwrite(0, "X");
	ok(after_restart() == 0 && put_aside() == 1,
	   "a damaged head: the file is put aside");
	begin();
	cut(path, 10);
	ok(after_restart() == 0 && put_aside() == 1,
	   "so is one that is too short");
	begin();
	cut(path, 0);
	ok(after_restart() == 0 && put_aside() == 0, "an empty one is new");
}

static void test_grows(void)
{
	struct cache *c;
	off_t most = 0;

	begin();
	c = cache_open(path);
	for (int i = 0; i < 5000; i++) {
		put(c, "c.test", i % 9 + 1);
		if (size_of(path) > most)
			most = size_of(path);
	}
	put(c, "c.test", 3);
	cache_close(&c);
	ok(size_of(second) > HEAD && most < 1100 * 100,
	   "it is written anew: %lld bytes at most", (long long)most);
	ok(after_restart() == 123 && put_aside() == 0,
	   "and the last of each is kept");
	/* the power went while the next was begun */
	cut(number_of(path) > number_of(second) ? second : path, 0);
	ok(after_restart() == 123, "that the other is unfinished does not matter");
}

int main(void)
{
	char made[] = "/tmp/tls-policy-XXXXXX";

	dir = mkdtemp(made);
	path = mem_printf("%s/policies", dir);
	second = mem_printf("%s.2", path);
	test_kept();
	test_torn();
	test_damaged();
	test_grows();
	unlink(path);
	unlink(second);
	rmdir(dir);
	return done();
}
