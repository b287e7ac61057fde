/*
 * qmgr at start, in front of files that are not as it left them: what it does
 * not understand is kept and named, whatever it is, and holds up nothing.
 *
 * link: t/lib/bed.c
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "queue/id.h"
#include "queue/slot.h"
#include "t/lib/bed.h"
#include "t/unit/tap.h"

/* The file at hand, as qmgr left it. */
struct victim {
	char *path; /* in full */
	char name[QUEUE_PATH_SIZE];
	struct buf bytes;
	size_t super; /* where its superblock is */
};

static void put(const struct victim *v)
{
	int fd = open(v->path, O_WRONLY | O_TRUNC);

	if (fd < 0 || file_write(fd, v->bytes.data, v->bytes.len) != ERR_OK)
		printf("# cannot damage %s\n", v->path);
	close(fd);
}

static void flip(struct victim *v)
{
	v->bytes.data[v->super + 12] ^= 1;
}

static void flip_magic(struct victim *v)
{
	v->bytes.data[v->super] ^= 0x20;
}

static void zero_super(struct victim *v)
{
	memset(v->bytes.data + v->super, 0, SLOT_SUPER);
}

static void scramble(struct victim *v)
{
	for (size_t i = 0; i < v->bytes.len; i++)
		v->bytes.data[i] = (char)(i * 2654435761u >> 7);
}

static void flip_content(struct victim *v)
{
	v->bytes.data[v->super + SLOT_SUPER + 5] ^= 4;
}

static void cut_content(struct victim *v)
{
	buf_truncate(&v->bytes, v->super + SLOT_SUPER + 20);
}

static void cut_super(struct victim *v)
{
	buf_truncate(&v->bytes, v->super + 100);
}

/* Cuts it at AT, or before the end of its message if that is earlier. */
static void cut(struct victim *v, size_t at)
{
	struct slot_super s;

	if (slot_super_read(v->bytes.data + v->super, &s) == ERR_OK &&
	    at >= (size_t)(s.envelope + s.envelope_length))
		at = (size_t)(s.envelope + s.envelope_length) - 1;
	buf_truncate(&v->bytes, at);
}

static void cut_in_two(struct victim *v)
{
	cut(v, v->bytes.len / 2);
}

static void cut_at_half(struct victim *v)
{
	cut(v, SLOT_HALF);
}

static void cut_at_block(struct victim *v)
{
	cut(v, 4096);
}

static void cut_at_sector(struct victim *v)
{
	cut(v, SLOT_SUPER);
}

static void cut_all(struct victim *v)
{
	buf_truncate(&v->bytes, 0);
}

/* Zeros in block N of the message's half. */
static void zero_block(struct victim *v, size_t n)
{
	size_t from = v->super + n * 4096, to = from + 4096;

	if (to > v->bytes.len)
		to = v->bytes.len;
	if (from < to)
		memset(v->bytes.data + from, 0, to - from);
}

static void zero_block_0(struct victim *v)
{
	zero_block(v, 0);
}

static void zero_block_1(struct victim *v)
{
	zero_block(v, 1);
}

static void zero_block_2(struct victim *v)
{
	zero_block(v, 2);
}

static void lengthen(struct victim *v)
{
	buf_puts(&v->bytes, "and something after the end\n");
}

/* The same superblock as another version would write it. */
static void other_version(struct victim *v)
{
	char *s = v->bytes.data + v->super, *sum = strstr(s, " sum "), hex[9];

	s[9] = '2';
	snprintf(hex, sizeof(hex), "%08" PRIx32,
		 crc32c(0, s + 8, (size_t)(sum - s - 8)));
	memcpy(sum + 5, hex, 8);
}

enum fate {
	DELIVERED, /* it is a message as before */
	ASIDE,	   /* in corrupt/, and named */
	KEPT,	   /* there or where it was, and named */
	NAMED	   /* nothing is left of it to keep */
};

static const struct damage {
	const char *what;
	void (*act)(struct victim *v);
	enum fate fate;
	int uses;    /* of the slot */
	size_t size; /* of the message; 0: small */
} damages[] = {
	{ "untouched", NULL, DELIVERED, 1, 0 },
	{ "one bit of the superblock", flip, ASIDE, 1, 0 },
	{ "one bit of the superblock, used twice", flip, ASIDE, 2, 0 },
	{ "the first word of the superblock", flip_magic, ASIDE, 1, 0 },
	{ "a superblock of zeros", zero_super, ASIDE, 1, 0 },
	{ "a superblock of zeros, used twice", zero_super, ASIDE, 2, 0 },
	{ "a file of anything", scramble, ASIDE, 1, 0 },
	{ "one bit of the content", flip_content, ASIDE, 1, 0 },
	{ "one bit of the content, used twice", flip_content, ASIDE, 2, 0 },
	{ "cut within the content", cut_content, ASIDE, 1, 0 },
	{ "cut within the superblock", cut_super, ASIDE, 1, 0 },
	{ "cut to nothing", cut_all, NAMED, 1, 0 },
	{ "longer", lengthen, DELIVERED, 1, 0 },
	{ "cut in two", cut_in_two, ASIDE, 1, 0 },
	{ "cut in two, used twice", cut_in_two, ASIDE, 2, 0 },
	{ "cut in two, large", cut_in_two, ASIDE, 1, 20000 },
	{ "cut in two, used twice, large", cut_in_two, ASIDE, 2, 20000 },
	{ "cut in two, behind the halves", cut_in_two, ASIDE, 1, 40000 },
	{ "cut in two, used twice, behind the halves",
	  cut_in_two, ASIDE, 2, 40000 },
	{ "cut at 4096, used twice", cut_at_block, ASIDE, 2, 0 },
	{ "cut at 4096, large", cut_at_block, ASIDE, 1, 20000 },
	{ "cut at 4096, used twice, large", cut_at_block, ASIDE, 2, 20000 },
	{ "cut at 4096, behind the halves", cut_at_block, ASIDE, 1, 40000 },
	{ "cut at 4096, used twice, behind the halves",
	  cut_at_block, ASIDE, 2, 40000 },
	{ "cut at 512", cut_at_sector, ASIDE, 1, 0 },
	{ "cut at 512, used twice", cut_at_sector, ASIDE, 2, 0 },
	{ "cut at 512, large", cut_at_sector, ASIDE, 1, 20000 },
	{ "cut at 512, used twice, large", cut_at_sector, ASIDE, 2, 20000 },
	{ "cut at 512, behind the halves", cut_at_sector, ASIDE, 1, 40000 },
	{ "cut at 512, used twice, behind the halves",
	  cut_at_sector, ASIDE, 2, 40000 },
	{ "cut at 32768, used twice", cut_at_half, ASIDE, 2, 0 },
	{ "cut at 32768, used twice, large", cut_at_half, ASIDE, 2, 20000 },
	{ "cut at 32768, behind the halves", cut_at_half, ASIDE, 1, 40000 },
	{ "cut at 32768, used twice, behind the halves",
	  cut_at_half, ASIDE, 2, 40000 },
	{ "zeros in block 0", zero_block_0, NAMED, 1, 0 },
	{ "zeros in block 0, used twice", zero_block_0, ASIDE, 2, 0 },
	{ "zeros in block 0, large", zero_block_0, ASIDE, 1, 20000 },
	{ "zeros in block 1, large", zero_block_1, ASIDE, 1, 20000 },
	{ "zeros in block 2, large", zero_block_2, ASIDE, 1, 20000 },
	{ "zeros in block 0, used twice, large",
	  zero_block_0, ASIDE, 2, 20000 },
	{ "zeros in block 1, used twice, large",
	  zero_block_1, ASIDE, 2, 20000 },
	{ "zeros in block 2, used twice, large",
	  zero_block_2, ASIDE, 2, 20000 },
	{ "zeros in block 0, behind the halves",
	  zero_block_0, ASIDE, 1, 40000 },
	{ "zeros in block 1, behind the halves",
	  zero_block_1, DELIVERED, 1, 40000 },
	{ "zeros in block 2, behind the halves",
	  zero_block_2, DELIVERED, 1, 40000 },
	{ "zeros in block 0, used twice, behind the halves",
	  zero_block_0, ASIDE, 2, 40000 },
	{ "zeros in block 1, used twice, behind the halves",
	  zero_block_1, DELIVERED, 2, 40000 },
	{ "zeros in block 2, used twice, behind the halves",
	  zero_block_2, DELIVERED, 2, 40000 },
	{ "another version", other_version, KEPT, 1, 0 },
	{ "another version, used twice", other_version, KEPT, 2, 0 },
};

#define DAMAGES (sizeof(damages) / sizeof(damages[0]))

/* A message that waits in a slot used for the USES-th time. */
static char *make_message(struct queue_receiver *r, size_t row)
{
	uint32_t slot = 0;

	for (int i = 0; i < damages[row].uses; i++) {
		char to[64];
		bool last = i + 1 == damages[row].uses;

		for (int n = 0; n < (last ? 1 : 2); n++) {
			snprintf(to, sizeof(to), "%s-%zu-%d-%d@remote.test",
				 last ? "defer" : "ok", row, i, n);
			bed_post_from(r, "sender@remote.test", "message", to,
				      last ? damages[row].size : 0, 0);
			bed_wait(bed_is_recorded, to);
		}
	}
	queue_id_slot(queue_id(r), &slot);
	return mem_strdup(queue_id(r));
}

static void load(struct victim *v, const char *id)
{
	uint32_t slot = 0;
	char *at;

	queue_id_slot(id, &slot);
	queue_slot_path(v->name, slot);
	v->path = mem_printf("%s/queue/%s", bed.dir, v->name);
	buf_init(&v->bytes, 1 << 20);
	/* what was not read is seen below: no id is found */
	err_ignore(file_read(v->path, &v->bytes));
	at = memmem(v->bytes.data, v->bytes.len, id, strlen(id));
	v->super = at && at - v->bytes.data >= SLOT_HALF ? SLOT_HALF : 0;
}

static bool is_aside(const struct victim *v)
{
	char *pattern =
		mem_printf("%s/queue/corrupt/%s*", bed.dir, v->name + 9);
	glob_t g;
	bool found = glob(pattern, 0, NULL, &g) == 0;

	globfree(&g);
	free(pattern);
	return found;
}

static bool is_named(const struct victim *v)
{
	return bed_occurs(bed.log, v->name) > 0;
}

static bool fits(const struct victim *v, const struct damage *d)
{
	bool there = access(v->path, F_OK) == 0;

	switch (d->fate) {
	case DELIVERED:
		return there && !is_named(v);
	case ASIDE:
		return is_aside(v) && is_named(v);
	case KEPT:
		return (there || is_aside(v)) && is_named(v);
	default:
		return is_named(v);
	}
}

/* The scan goes on while what it found already waits. */
struct row {
	const struct victim *v;
	const struct damage *d;
};

static bool row_fits(const void *arg)
{
	const struct row *r = arg;

	return fits(r->v, r->d);
}

static int64_t count_aside(void)
{
	char *pattern = mem_printf("%s/queue/corrupt/*", bed.dir);
	glob_t g;
	int64_t n = glob(pattern, 0, NULL, &g) == 0 ? (int64_t)g.gl_pathc : 0;

	globfree(&g);
	free(pattern);
	return n;
}

/* ARG is how many files qmgr says are in corrupt/. */
static bool is_counted(const void *arg)
{
	struct queue_stats s;
	struct buf why;
	int err;

	buf_init(&why, 1000);
	err = queue_admin_stats(bed.public, &s, &why);
	buf_free(&why);
	return !err && s.corrupt == *(const int64_t *)arg;
}

/* What is in corrupt/ is counted, whoever puts it there or takes it away. */
static void test_corrupt_count(int64_t aside)
{
	static const int64_t none = 0;
	char *command = mem_printf("rm '%s'/queue/corrupt/*", bed.dir);

	ok(bed_wait(is_counted, &aside), "%d damaged files are counted",
	   (int)aside);
	bed_end_qmgr(SIGKILL);
	bed_start_qmgr();
	ok(bed_wait(is_counted, &aside), "after a restart, too");
	ok(system(command) == 0 && bed_wait(is_counted, &none),
	   "until somebody removes them");
	free(command);
}

static bool is_scanned(const void *arg)
{
	(void)arg;
	return bed_in_queue() >= 0;
}

static void test_damages(struct queue_receiver **r)
{
	struct victim v[DAMAGES];
	char *id[DAMAGES];
	int64_t all = DAMAGES, good = 0;

	for (size_t i = 0; i < DAMAGES; i++)
		id[i] = make_message(*r, i);
	ok(bed_wait(bed_has_messages, &all), "all wait");
	sleep(1); /* for the second try: all is in the journals */
	/* as long as it has slots open it is believed to write them */
	queue_receiver_free(r);
	*r = queue_receiver_new();
	bed_end_qmgr(SIGTERM);
	for (size_t i = 0; i < DAMAGES; i++) {
		good += damages[i].fate == DELIVERED;
		load(&v[i], id[i]);
		if (damages[i].act) {
			damages[i].act(&v[i]);
			put(&v[i]);
		}
	}
	unlink(bed.log);
	bed_start_qmgr();
	ok(bed_wait(bed_has_messages, &good), "the good ones wait again");
	for (size_t i = 0; i < DAMAGES; i++) {
		struct row row = { &v[i], &damages[i] };

		ok(bed_wait(row_fits, &row), "%s, %s half: %s", v[i].name,
		   v[i].super ? "upper" : "lower", damages[i].what);
		free(v[i].path);
		buf_free(&v[i].bytes);
		free(id[i]);
	}
}

/* What has a slot's name and is none. */
static void make_strange(char *path[4])
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char *dir = mem_printf("%s/queue/queue/0Z", bed.dir);
	int sock = socket(AF_UNIX, SOCK_STREAM, 0);

	mkdir(dir, 0700);
	for (unsigned i = 0; i < 4; i++) {
		char name[QUEUE_PATH_SIZE];

		queue_slot_path(name, 31 * QUEUE_SLOTS_PER_DIR + i);
		path[i] = mem_printf("%s/queue/%s", bed.dir, name);
	}
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path[3]);
	if (mkfifo(path[0], 0600) < 0 || mkdir(path[1], 0700) < 0 ||
	    symlink("/dev/zero", path[2]) < 0 ||
	    bind(sock, (void *)&a, sizeof(a)) < 0)
		printf("# cannot make strange files: %s\n", strerror(errno));
	close(sock);
	free(dir);
}

static void test_strange(struct queue_receiver *r)
{
	char *path[4];
	struct stat st;

	make_strange(path);
	bed_end_qmgr(SIGTERM);
	unlink(bed.log);
	bed_start_qmgr();
	ok(bed_wait(is_scanned, NULL), "the scan ends");
	while (bed_post(r, "after", "ok-after@local.test") != ERR_OK)
		usleep(1000);
	ok(bed_wait(bed_is_recorded, "ok-after@"), "mail goes on");
	for (int i = 0; i < 4; i++) {
		ok(lstat(path[i], &st) == 0 &&
			   bed_is_logged(strstr(path[i], "queue/0Z/")),
		   "%s is there and named", path[i] + strlen(bed.dir));
		free(path[i]);
	}
}

int main(void)
{
	struct queue_receiver *r = bed_begin();
	struct buf why;
	int64_t n;

	if (!r)
		return 0;
	buf_init(&why, 1000);
	test_damages(&r);
	queue_admin_act(bed.public, QUEUE_DELETE, "ALL", &n, &why);
	bed_wait(bed_is_empty, NULL);
	test_corrupt_count(count_aside());
	test_strange(r);
	bed_end(r);
	buf_free(&why);
	return done();
}
