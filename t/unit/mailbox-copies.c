/*
 * COPY makes a file of its own, whose content is shared where the file system
 * can do that; MOVE keeps the file. Many are copied in portions, all or none.
 * Some of it needs root, for file systems of its own.
 */
#include <errno.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/crc32c.h"
#include "index/disk.h"
#include "index/journal.h"
#include "mailbox/private.h"
#include "maildir/maildir.h"
#include "t/unit/mailbox-lib.h"

#define MANY 1100 /* more than one portion, more than may be open */

static int syncs, fail_sync; /* of the file system */

int syncfs(int fd)
{
	syncs++;
	if (fail_sync > 0 && --fail_sync == 0) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_syncfs, fd);
}

static uint32_t count_in(struct store *s, const char *folder)
{
	struct store_status st = { 0 };

	store_status(s, folder, false, &st);
	return st.messages;
}

static int copy_n(struct mailbox *m, size_t n, bool move, uint32_t *first)
{
	uint32_t *seq = mem_array(n, sizeof(*seq));
	uint32_t *uid = mem_array(n, sizeof(*uid)), validity;
	struct folder_id id;
	size_t i;
	int code;

	for (i = 0; i < n; i++)
		seq[i] = (uint32_t)i + 1;
	code = mailbox_copy(m, seq, n, "Box", move, uid, &validity, &id);
	*first = uid[0];
	for (i = 0; !code && i < n; i++)
		if (uid[i] != *first + i)
			code = ERR_CORRUPT;
	free(seq);
	free(uid);
	return code;
}

/* The file of UID in the folder at DIR. */
static const char *file_of(const char *dir, uint32_t uid)
{
	char sub[64], having[32], name[600];

	snprintf(having, sizeof(having), ",U=%u", uid);
	snprintf(sub, sizeof(sub), "%snew", dir);
	if (!find_name(sub, having, name)) {
		snprintf(sub, sizeof(sub), "%scur", dir);
		if (!find_name(sub, having, name))
			strcpy(name, "none");
	}
	return path(name);
}

static nlink_t links_of(const char *p)
{
	struct stat st;

	return stat(p, &st) < 0 ? 0 : st.st_nlink;
}

static const char two[] = "Return-Path: <a@b>\r\nFrom: <a@b>\r\n"
			  "Subject: number 2\r\n\r\nbody 2\r\n";

#define ANOTHER \
	"Subject: another\n\nwritten by an editor that makes a new file\n"

static bool replaces; /* once, when a file gets another name */

int linkat(int dir, const char *from, int dir2, const char *to, int flags)
{
	int result = (int)syscall(SYS_linkat, dir, from, dir2, to, flags);

	if (result == 0 && replaces) {
		replaces = false;
		write_file(path("tmp/editor"), ANOTHER, strlen(ANOTHER));
		if (rename(path("tmp/editor"), file_of("", 1)) < 0)
			printf("# rename\n");
	}
	return result;
}

/* An editor puts another file in the place of one that is just being moved. */
static void test_replaced(void)
{
	const struct mailbox_changes *c;
	uint32_t first;
	struct store *s;
	struct mailbox *m;

	fresh();
	deliver_n("INBOX", 2);
	m = open_folder("INBOX", false, &s);
	store_create(s, "Box", NULL);
	replaces = true;
	ok(copy_n(m, 1, true, &first) == ERR_NOT_FOUND && !replaces,
	   "a message that is replaced while it is moved is another one");
	ok(mailbox_refresh(m, true, &c) == ERR_OK && mailbox_count(m) == 2 &&
		   mailbox_uid(m, 2) == 3 &&
		   file_size(file_of("", 1)) == (long)strlen(ANOTHER),
	   "which stays where it is, under a new UID");
	ok(count_in(s, "Box") == 0, "and the former one is gone");
	close_folder(&m, &s);
}

/* A user's script edits a copy where it is. */
static void test_edit(void)
{
	const struct timespec old[2] = { { .tv_sec = 1500000000 },
					 { .tv_sec = 1500000000 } };
	uint32_t first;
	struct stat st;
	struct store *s;
	struct mailbox *m;
	const char *p;
	int fd;

	fresh();
	deliver_n("INBOX", 2);
	m = open_folder("INBOX", false, &s);
	store_create(s, "Box", NULL);
	utimensat(AT_FDCWD, file_of("", 1), old, 0);
	ok(copy_n(m, 2, false, &first) == ERR_OK &&
		   links_of(file_of(".Box/", 1)) == 1,
	   "a copy is a file of its own");
	ok(stat(file_of(".Box/", 1), &st) == 0 &&
		   st.st_mtim.tv_sec == 1500000000,
	   "with the time of the first");
	p = file_of(".Box/", 2);
	fd = open(p, O_WRONLY);
	ok(fd >= 0 && pwrite(fd, "Xeturn-Path", 11, 0) == 11, "one is edited");
	close(fd);
	ok(text_is(m, 2, two), "the other is as it was");
	ok(copy_n(m, 2, true, &first) == ERR_OK && first == 3 &&
		   links_of(file_of(".Box/", 3)) == 1,
	   "what is moved has one name");
	close_folder(&m, &s);
}

/* Root restored a message: its file can be read, but is not the user's. */
static void test_foreign(void)
{
	const struct mailbox_changes *c;
	uint32_t first;
	struct store *s;
	struct mailbox *m;

	fresh();
	if (chmod(at.root, 0777) < 0 || seteuid(65534) < 0) {
		ok(true, "skipped: takes root");
		return;
	}
	deliver_n("INBOX", 3);
	m = open_folder("INBOX", false, &s);
	store_create(s, "Box", NULL);
	ok(seteuid(0) == 0 && chown(file_of("", 1), 0, 0) == 0 &&
		   chmod(file_of("", 1), 0644) == 0 && seteuid(65534) == 0,
	   "a file of root's");
	ok(copy_n(m, 2, true, &first) == ERR_OK && count_in(s, "Box") == 2,
	   "can be moved, like the user's own");
	ok(mailbox_refresh(m, true, &c) == ERR_OK && mailbox_count(m) == 1 &&
		   count_in(s, "INBOX") == 1,
	   "and is gone from where it was");
	close_folder(&m, &s);
	ok(seteuid(0) == 0, "root again");
}

/* Is the checksum of UID's file in the record of Box, or none? */
static bool is_recorded(uint32_t uid, bool *known)
{
	int fd = open(path(".Box/" DISK_JOURNAL), O_RDONLY);
	size_t n, size;
	char *text = slurp(file_of(".Box/", uid), &size);
	const struct record *r;
	const char *next;
	struct record_add a;
	struct journal_walk w;
	bool right = false;

	journal_walk(&w, fd, sizeof(struct journal_head));
	while ((r = journal_next(&w))) {
		if (r->type != RECORD_ADD)
			continue;
		next = record_payload(r, &n);
		for (uint32_t i = 0; i < r->count; i++) {
			if (!record_add_next(&next, &n, &a) || a.uid != uid)
				continue;
			*known = a.known;
			right = r->sure && (!a.known ||
					    a.content == crc32c(0, text, size));
		}
	}
	right = journal_walk_end(&w) == ERR_OK && right;
	close(fd);
	free(text);
	return right;
}

/* Is the content of P also another file's? */
static bool is_shared(const char *p)
{
	struct {
		struct fiemap map;
		struct fiemap_extent extent;
	} f = { .map = { .fm_length = FIEMAP_MAX_OFFSET,
			 .fm_flags = FIEMAP_FLAG_SYNC,
			 .fm_extent_count = 1 } };
	int fd = open(p, O_RDONLY);
	bool is = ioctl(fd, FS_IOC_FIEMAP, &f) == 0 &&
		  f.map.fm_mapped_extents == 1 &&
		  f.extent.fe_flags & FIEMAP_EXTENT_SHARED;

	close(fd);
	return is;
}

static struct messages_ops real, hooked;
static int edits; /* so many files are begun after an edit */

/* Another program edits message 2 after it was opened to be copied. */
static int hooked_create(struct messages *ms, unsigned dir,
			 struct message_new *n)
{
	/* a time in the future is not waited for */
	const struct timespec t[2] = { { .tv_sec = clock_wall() + 100 + edits },
				       { .tv_sec =
						 clock_wall() + 100 + edits } };
	const char *p = file_of("", 2);
	int fd;

	if (edits > 0 && edits--) {
		fd = open(p, O_WRONLY);
		if (pwrite(fd, "From: <b@a>", 11, 19) != 11)
			printf("# cannot edit\n");
		futimens(fd, t);
		close(fd);
	}
	return real.create(ms, dir, n);
}

static int open_hooked(int dir, bool make, struct messages **ms)
{
	int code = maildir_open(dir, make, ms);

	if (code)
		return code;
	real = hooked = *(*ms)->ops;
	hooked.create = hooked_create;
	(*ms)->ops = &hooked;
	return ERR_OK;
}

static void test_edit_meanwhile(void)
{
	uint32_t seq = 2, uid, validity, first;
	struct folder_id id;
	struct store *s;
	struct mailbox *m;
	bool known = false;
	int code;

	fresh();
	deliver_n("INBOX", 2);
	m = open_folder("INBOX", false, &s);
	store_create(s, "Box", NULL);
	ok(copy_n(m, 2, false, &first) == ERR_OK && is_recorded(2, &known) &&
		   (known || is_shared(file_of(".Box/", 2))),
	   "the checksum of a copy is recorded, unless the content is shared");
	mailbox_close(&m);
	s->opener = open_hooked;
	if (mailbox_open(s, "INBOX", false, &m) != ERR_OK)
		exit(1);
	edits = 1;
	code = mailbox_copy(m, &seq, 1, "Box", false, &uid, &validity, &id);
	ok(code == ERR_NOT_FOUND && validity && count_in(s, "Box") == 2,
	   "one that is edited meanwhile is not copied: %s", err_text(code));
	edits = 0;
	close_folder(&m, &s);
}

/* Former versions made links, as many as the file system allows. */
static void test_former(void)
{
	uint32_t first;
	struct store *s;
	struct mailbox *m;
	char p[1024], name[64];
	nlink_t links;
	int i;

	fresh();
	deliver_n("INBOX", 2);
	m = open_folder("INBOX", false, &s);
	store_create(s, "Box", NULL);
	snprintf(p, sizeof(p), "%s", file_of("", 1));
	for (i = 0; i < 65001; i++) {
		snprintf(name, sizeof(name), "tmp/%d", i);
		if (link(p, path(name)) < 0)
			break;
	}
	links = links_of(p);
	ok(copy_n(m, 2, false, &first) == ERR_OK &&
		   links_of(file_of(".Box/", 1)) == 1 && links_of(p) == links,
	   "COPY of a file with %lu names", (unsigned long)links);
	ok(copy_n(m, 2, true, &first) == ERR_OK && first == 3 &&
		   links_of(file_of(".Box/", 3)) == 1 &&
		   links_of(path("tmp/0")) == links - 1 &&
		   count_in(s, "Box") == 4 && count_in(s, "INBOX") == 0,
	   "MOVE");
	close_folder(&m, &s);
}

/* MANY messages, with little work: another program's. */
static struct mailbox *open_many(struct store **s)
{
	struct mailbox *m = open_folder("INBOX", false, s);
	char name[64], text[64];
	int i;

	store_create(*s, "Box", NULL);
	mailbox_close(&m);
	for (i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "cur/17%08d.foreign:2,F", i);
		snprintf(text, sizeof(text), "Subject: %d\n\nx\n", i + 1);
		write_file(path(name), text, strlen(text));
	}
	if (mailbox_open(*s, "INBOX", false, &m) != ERR_OK)
		exit(1);
	return m;
}

static bool are_there(struct store *s)
{
	struct mailbox *m = NULL;
	char text[64];
	uint32_t i;
	bool good = mailbox_open(s, "Box", false, &m) == ERR_OK &&
		    mailbox_count(m) == MANY;

	for (i = 1; good && i <= MANY; i++) {
		snprintf(text, sizeof(text), "Subject: %u\r\n\r\nx\r\n", i);
		good = text_is(m, i, text) &&
		       mailbox_get(m, i).flags == MAILBOX_FLAGGED;
	}
	mailbox_close(&m);
	return good;
}

static void test_many(void)
{
	const struct rlimit few = { 700, 700 };
	uint32_t first;
	struct store *s;
	struct mailbox *m;
	bool known;
	int code;

	fresh();
	m = open_many(&s);
	setrlimit(RLIMIT_NOFILE, &few);
	fail_sync = 3; /* of the last portion */
	code = copy_n(m, MANY, false, &first);
	ok(code == ERR_IO && count_in(s, "Box") == 0,
	   "a sync that fails after %d of %d: %s, and none is there",
	   MANY - 100, MANY, err_text(code));
	syncs = 0;
	ok(copy_n(m, MANY, false, &first) == ERR_OK &&
		   is_recorded(first, &known) &&
		   is_recorded(first + 600, &known) &&
		   is_recorded(first + MANY - 1, &known) && are_there(s),
	   "%d are copied, in order, and known to be durable", MANY);
	ok(syncs <= 4, "with %d syncs of the content", syncs);
	close_folder(&m, &s);
}

static bool can_mount(void)
{
	return geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static void test_full(void)
{
	uint32_t first = 0;
	struct store *s;
	struct mailbox *m;
	int code;

	fresh();
	mkdir(at.maildir, 0700);
	if (mount("none", at.maildir, "tmpfs", 0, "size=8m") < 0) {
		ok(true, "skipped: no tmpfs");
		return;
	}
	m = open_many(&s);
	code = copy_n(m, MANY, false, &first);
	ok(code == ERR_NO_SPACE && count_in(s, "Box") == 0 &&
		   count_in(s, "INBOX") == MANY,
	   "a disk that is full midway: %s, and none is there", err_text(code));
	mount("none", at.maildir, "tmpfs", MS_REMOUNT, "size=90m");
	ok(copy_n(m, MANY, false, &first) == ERR_OK && first > 1 &&
		   are_there(s),
	   "with more room all are");
	close_folder(&m, &s);
	umount(at.maildir);
}

static bool mount_xfs(void)
{
	char command[1024];

	fresh();
	mkdir(at.maildir, 0700);
	snprintf(command, sizeof(command),
		 "truncate -s 400M %s/xfs && mkfs.xfs -q -m reflink=1 %s/xfs "
		 "&& mount -o loop %s/xfs %s",
		 at.root, at.root, at.root, at.maildir);
	return system(command) == 0;
}

static void test_clone(void)
{
	uint32_t first;
	struct store *s;
	struct mailbox *m;
	bool known = true;

	if (!mount_xfs()) {
		ok(true, "skipped: no XFS");
		return;
	}
	deliver_n("INBOX", 20);
	m = open_folder("INBOX", false, &s);
	store_create(s, "Box", NULL);
	ok(copy_n(m, 20, false, &first) == ERR_OK &&
		   is_shared(file_of(".Box/", 2)) && is_recorded(2, &known) &&
		   !known,
	   "where the file system can, the content is shared");
	close_folder(&m, &s);
	umount(at.maildir);
}

int main(void)
{
	test_replaced();
	test_edit();
	test_edit_meanwhile();
	test_foreign();
	test_former();
	test_many();
	if (can_mount()) {
		test_full();
		test_clone();
	} else {
		ok(true, "skipped: takes root, and a name space of mounts");
	}
	clean();
	return done();
}
