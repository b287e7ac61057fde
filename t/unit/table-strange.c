/*
 * What may have the name of a table's file and is none: each type says so, and
 * waits for nobody; and files that change under the table that has them open.
 */
#include "tap.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "log/log.h"
#include "table/build.h"
#include "table/table.h"
#include "table-dir.h"

static const char *const file_types[] = { "hash",    "btree", "texthash",
					  "aliases", "cidr",  "pcre" };

/* What may have a table's name, and is none. */
static void make_fifo(const char *path)
{
	mkfifo(path, 0644);
}

static void make_dir(const char *path)
{
	mkdir(path, 0755);
}

static void make_socket(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	ok(bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0, "a socket");
	close(fd);
}

static void make_loop(const char *path)
{
	ok(symlink(path, path) == 0, "a link to itself");
}

static void make_nuls(const char *path)
{
	static const char nuls[8192];

	err_ignore(file_replace(path, 0644, nuls, sizeof(nuls)));
}

static void make_other_version(const char *path)
{
	/* the magic number of a hash file, version 99 */
	unsigned char page[8192] = { [12] = 0x61, 0x15, 0x06, 0, 99 };

	err_ignore(file_replace(path, 0644, page, sizeof(page)));
}

static const struct {
	const char *name;
	void (*make)(const char *path);
} strange[] = {
	{ "a FIFO", make_fifo },     { "a directory", make_dir },
	{ "a socket", make_socket }, { "a link to itself", make_loop },
	{ "NULs", make_nuls },	     { "another version", make_other_version },
};

static void test_strange_file(const char *type, size_t i)
{
	bool db = !strcmp(type, "hash") || !strcmp(type, "btree");
	char *path = mem_printf("%s/strange", dir);
	char *file = mem_printf("%s%s", path, db ? ".db" : "");
	char *spec = mem_printf("%s:%s", type, path);
	struct buf faults, value;
	struct table *t;

	buf_init(&faults, 65536);
	buf_init(&value, 65536);
	strange[i].make(file);
	alarm(20); /* it may wait for nobody */
	t = table_open(spec, false, &faults);
	ok(t && strstr(faults.data, file), "%s: %s is a fault: %s", type,
	   strange[i].name, faults.data);
	ok(table_get(t, "a", &value) == ERR_TEMP, "%s: and no answer", type);
	alarm(0);
	table_free(&t);
	ok(remove(file) == 0, "removed");
	buf_free(&faults);
	buf_free(&value);
	free(path);
	free(file);
	free(spec);
}

/* The file of a table in use becomes something else. */
static void test_strange_later(size_t i)
{
	char *path = put_file("later", "a b\n");
	char *spec = mem_printf("texthash:%s", path);
	struct buf faults, value;
	struct table *t;

	buf_init(&faults, 65536);
	buf_init(&value, 65536);
	t = table_open(spec, false, &faults);
	unlink(path);
	strange[i].make(path);
	alarm(20);
	ok(table_get(t, "a", &value) == ERR_OK && !strcmp(value.data, "b"),
	   "what was read before stays in use beside %s", strange[i].name);
	alarm(0);
	table_free(&t);
	remove(path);
	buf_free(&faults);
	buf_free(&value);
	free(path);
	free(spec);
}

static void write_in_place(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	fputs(text, f);
	fclose(f);
}

/* A file that is written in place is cut first: users that come later in it
 * are not unknown. */
static void test_in_place(void)
{
	char *path = put_file("place", "a b\nc d\n");
	char *spec = mem_printf("texthash:%s", path);
	const struct timespec pause = { 0, 20000000 };
	struct buf faults, value;
	struct table *t;
	int err, tries;

	buf_init(&faults, 65536);
	buf_init(&value, 65536);
	t = table_open(spec, false, &faults);
	write_in_place(path, "a x\n");
	ok(table_get(t, "c", &value) == ERR_OK,
	   "a file that is being written counts as it was");
	write_in_place(path, "a x\nc y\n");
	for (tries = 0; tries < 500; tries++) {
		err = table_get(t, "a", &value);
		if (err || strcmp(value.data, "b") != 0)
			break;
		nanosleep(&pause, NULL);
	}
	ok(!err && !strcmp(value.data, "x") &&
		   table_get(t, "c", &value) == ERR_OK &&
		   !strcmp(value.data, "y"),
	   "and is read when nobody writes any more");
	table_free(&t);
	buf_free(&faults);
	buf_free(&value);
	free(path);
	free(spec);
}

static bool gives(struct table *t, const char *key, const char *want)
{
	struct buf value;
	bool good;

	buf_init(&value, 65536);
	good = table_get(t, key, &value) == ERR_OK && !strcmp(value.data, want);
	buf_free(&value);
	return good;
}

static bool gives_in_time(struct table *t, const char *key, const char *want)
{
	const struct timespec pause = { 0, 20000000 };

	for (int tries = 0; tries < 1500; tries++) {
		if (gives(t, key, want))
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

/* As if nobody had written to PATH for an hour. */
static void age(const char *path)
{
	struct timespec then[2];

	clock_gettime(CLOCK_REALTIME, &then[0]);
	then[0].tv_sec -= 3600;
	then[1] = then[0];
	ok(utimensat(AT_FDCWD, path, then, 0) == 0, "aged");
}

static void append(const char *path, const char *text)
{
	FILE *f = fopen(path, "a");

	fputs(text, f);
	fclose(f);
}

/* The same, and does T still give WANT for "c"? True also if so much time went
 * by that the writer may be done. */
static bool keeps(struct table *t, const char *path, const char *text,
		  const char *want)
{
	int64_t before = clock_ms();

	append(path, text);
	return gives(t, "c", want) || clock_ms() - before >= 1000;
}

static const struct {
	const char *type, *two, *one, *more, *none;
} texts[] = {
	{ "texthash", "a b\nc d\n", "a x\n", "c y\ne f\n", "z z\n" },
	{ "aliases", "a: b\nc: d\n", "a: x\n", "c: y\ne: f\n", "z: z\n" },
	{ "pcre", "/^a$/ b\n/^c$/ d\n", "/^a$/ x\n", "/^c$/ y\n/^e$/ f\n",
	  "/^z$/ z\n" },
};

/* Emptied in place, however long ago, then written bit by bit. */
static void test_emptied(size_t i)
{
	char *path = put_file("emptied", texts[i].two);
	char *spec = mem_printf("%s:%s", texts[i].type, path);
	struct buf faults;
	struct table *t;

	buf_init(&faults, 65536);
	t = table_open(spec, false, &faults);
	ok(truncate(path, 0) == 0, "%s: emptied in place", texts[i].type);
	ok(gives(t, "a", "b"), "it counts as it was");
	age(path);
	ok(gives(t, "c", "d"), "so it does an hour later");
	ok(keeps(t, path, texts[i].one, "d"), "half of it is not read");
	ok(keeps(t, path, texts[i].more, "d"),
	   "nor more than it was, while it is written");
	ok(gives_in_time(t, "e", "f") && gives(t, "a", "x") &&
		   gives(t, "c", "y"),
	   "it is read when nobody writes any more");
	free(put_file("emptied", ""));
	age(path);
	ok(!gives(t, "a", "x"), "an empty one in its place is an empty table");
	table_free(&t);
	t = table_open(spec, false, &faults);
	ok(!faults.len && !gives(t, "a", "x"), "as it is at the start");
	append(path, texts[i].none);
	ok(gives(t, "z", "z"), "and what is put there counts at once");
	table_free(&t);
	buf_free(&faults);
	free(path);
	free(spec);
}

/* What a child gets for KEY, if PATH is cut before it asks, and before it has
 * looked or after that. */
static int get_in_child(struct table *t, const char *key, const char *path,
			bool looks)
{
	struct buf value;
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		if (looks)
			table_look(t);
		if (path && truncate(path, 0) < 0)
			_exit(99);
		buf_init(&value, 65536);
		_exit(table_get(t, key, &value));
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The content that a child has from its parent may be days old. */
static void test_inherited(void)
{
	char *path = put_file("inherited", "a b\n");
	char *spec = mem_printf("texthash:%s", path);
	struct buf faults;
	struct table *t;

	buf_init(&faults, 65536);
	t = table_open(spec, false, &faults);
	ok(get_in_child(t, "c", NULL, false) == ERR_NOT_FOUND,
	   "who is not there is unknown");
	append(path, "c d\n");
	ok(get_in_child(t, "c", path, true) == ERR_OK,
	   "a child that looked before the file was emptied knows all");
	ok(get_in_child(t, "a", path, false) == ERR_OK,
	   "one that did not knows whom its parent knew");
	ok(get_in_child(t, "c", path, false) == ERR_TEMP,
	   "and is not sure about others");
	age(path);
	ok(get_in_child(t, "c", NULL, false) == ERR_NOT_FOUND,
	   "but not for ever");
	table_free(&t);
	buf_free(&faults);
	free(path);
	free(spec);
}

/* A database that is cut under the process that has it open. */
static void test_cut(const char *type)
{
	char *path = put_file("cut", "a b\nc d\n");
	char *spec = mem_printf("%s:%s", type, path);
	char *file = mem_printf("%s.db", path);
	struct table_built built;
	struct buf faults, value;
	struct table *t;

	buf_init(&faults, 65536);
	buf_init(&value, 65536);
	ok(table_build(spec, TABLE_SOURCE_MAP, &built, &faults) == 0, "built");
	t = table_open(spec, false, &faults);
	ok(truncate(file, 100) == 0, "%s: the file is cut", type);
	ok(table_get(t, "a", &value) != ERR_NOT_FOUND,
	   "%s: nobody becomes unknown by that", type);
	table_free(&t);
	buf_free(&faults);
	buf_free(&value);
	free(path);
	free(spec);
	free(file);
}

int main(void)
{
	size_t t, i;

	if (!mkdtemp(dir))
		return 1;
	log_open("test", "/dev/null");
	for (i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
		for (t = 0; t < sizeof(file_types) / sizeof(file_types[0]); t++)
			test_strange_file(file_types[t], i);
		test_strange_later(i);
	}
	test_in_place();
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		test_emptied(i);
	test_inherited();
	test_cut("hash");
	test_cut("btree");
	remove_dir();
	return done();
}
