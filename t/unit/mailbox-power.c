/*
 * lib/mailbox after a power cut on a file system that makes names, sizes and
 * other files durable before a message's content: the delivery is killed
 * when it begins to sync the message's file, and the file then gets what
 * such a disk may hold.
 */
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "index/disk.h"
#include "index/journal.h"
#include "index/mark.h"
#include "mailbox/leftover.h"
#include "mailbox/private.h"
#include "t/unit/mailbox-lib.h"

static bool dies, dies_at_place, dies_naming, dies_unlinking,
	delivers_after_sync;
static struct {
	int files, places, journals;
} syncs;

int linkat(int dir, const char *from, int dir2, const char *to, int flags)
{
	if (dies_naming)
		_exit(0);
	return (int)syscall(SYS_linkat, dir, from, dir2, to, flags);
}

int unlinkat(int dir, const char *name, int flags)
{
	if (dies_unlinking)
		_exit(0);
	return (int)syscall(SYS_unlinkat, dir, name, flags);
}

int fsync(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 &&
	    (S_ISREG(st.st_mode) ? dies : dies_at_place))
		_exit(0);
	*(S_ISREG(st.st_mode) ? &syncs.files : &syncs.places) += 1;
	return (int)syscall(SYS_fsync, fd);
}

/* The first sync of an expunge is that of its record. */
int fdatasync(int fd)
{
	if (delivers_after_sync) {
		delivers_after_sync = false;
		deliver_n("INBOX", 1);
	}
	syncs.journals++;
	return (int)syscall(SYS_fdatasync, fd);
}

#define TEXT_SIZE 5000
static char text[TEXT_SIZE + 1];

static void make_text(void)
{
	size_t n = (size_t)sprintf(text, "From: <a@b>\r\nSubject: x\r\n\r\n");

	while (n + 60 < TEXT_SIZE)
		n += (size_t)sprintf(text + n, "line at byte %zu\r\n", n);
}

/* A delivery that ends when *END is to be done. */
static void begin_delivery_until(bool *end, const char *id)
{
	struct delivered out;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		*end = true;
		deliver_to("INBOX", text, id, &out);
		_exit(1);
	}
	if (waitpid(pid, &status, 0) != pid || status != 0)
		printf("# the delivery did not end as planned\n");
}

/* One that ends when it has given the file its name. */
static void begin_delivery(const char *id)
{
	begin_delivery_until(&dies, id);
}

enum harm { ZEROS, EMPTY, HALF_ZEROS, SHORT, NHARMS };
static const char *const harm_name[NHARMS] = { "zeros", "nothing",
					       "zeros from the middle on",
					       "the first half" };

/* What the disk has instead of the message at P. */
static void harm(const char *p, enum harm h)
{
	long size = file_size(p);
	long keep = h == HALF_ZEROS || h == SHORT ? size / 2 / 512 * 512 : 0;

	if (truncate(p, keep) < 0 ||
	    ((h == ZEROS || h == HALF_ZEROS) && truncate(p, size) < 0))
		printf("# truncate\n");
}

static int count_files(const char *dir)
{
	DIR *d = opendir(path(dir));
	struct dirent *e;
	int n = 0;

	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

/* Is there this one message, whole? */
static bool holds_one(uint32_t uid)
{
	static const char path_field[] = "Return-Path: <a@b>\r\n";
	char whole[TEXT_SIZE + sizeof(path_field)];
	struct store *s;
	struct mailbox *m = open_folder("INBOX", true, &s);
	bool good;

	sprintf(whole, "%s%s", path_field, text);
	good = m && mailbox_count(m) == 1 && mailbox_uid(m, 1) == uid &&
	       text_is(m, 1, whole);
	close_folder(&m, &s);
	return good;
}

static void prepare(enum harm h, const char *dir)
{
	char name[600];

	fresh();
	deliver_to("INBOX", text, "FIRST", &(struct delivered){ 0 });
	find_name("new", "posthorn", name);
	unlink(path(name));
	validity_of("INBOX", &(uint32_t){ 0 }, &(uint32_t){ 0 });
	begin_delivery("Q1");
	find_name("new", "posthorn", name);
	if (strcmp(dir, "cur") == 0) {
		char moved[700];

		sprintf(moved, "cur/%s:2,S", name + 4);
		rename(path(name), path(moved));
		strcpy(name, moved);
	}
	harm(path(name), h);
}

/* The queue delivers it once more. */
static void test_again(enum harm h, const char *dir)
{
	struct delivered out;

	prepare(h, dir);
	ok(deliver_to("INBOX", text, "Q1", &out) == ERR_OK && !out.duplicate &&
		   holds_one(out.uid),
	   "%s in %s: delivered again, and there once", harm_name[h], dir);
	ok(count_files("new") + count_files("cur") == 1,
	   "and no file beside it");
}

/* Somebody looks first. */
static void test_look(enum harm h, bool read_only)
{
	struct delivered out;
	struct store *s;
	struct mailbox *m;
	struct store_status st;

	prepare(h, "new");
	m = open_folder("INBOX", read_only, &s);
	ok(m && mailbox_count(m) == 0, "%s: not shown (%s)", harm_name[h],
	   read_only ? "EXAMINE" : "SELECT");
	ok(count_files("new") + count_files("cur") == 0, "nor left in the way");
	ok(store_status(s, "INBOX", false, &st) == ERR_OK && st.messages == 0 &&
		   st.unseen == 0,
	   "nor counted");
	close_folder(&m, &s);
	ok(deliver_to("INBOX", text, "Q1", &out) == ERR_OK && !out.duplicate &&
		   holds_one(out.uid),
	   "then delivered again");
}

/* The delivery was killed, the power stayed on. */
static void test_killed(void)
{
	struct delivered out;

	fresh();
	deliver_to("INBOX", text, "FIRST", &out);
	begin_delivery("Q1");
	ok(deliver_to("INBOX", text, "Q1", &out) == ERR_OK && out.duplicate &&
		   out.uid == 2,
	   "a whole file of a delivery that was killed is the delivery");
}

static struct mailbox *look(bool read_only, bool open_before, struct store **s,
			    bool *end)
{
	const struct mailbox_changes *c;
	struct mailbox *m = NULL;

	if (open_before)
		m = open_folder("INBOX", read_only, s);
	begin_delivery_until(end, "Q1");
	memset(&syncs, 0, sizeof(syncs));
	if (!open_before)
		m = open_folder("INBOX", read_only, s);
	mailbox_refresh(m, true, &c);
	return m;
}

/* Somebody looks while it is only in memory: what a client knows by its UID is
 * there to stay, be it that the power goes and the delivery ends here. */
static void test_looked_at(bool read_only, bool open_before)
{
	struct store *s;
	struct mailbox *m;

	fresh();
	deliver_to("INBOX", text, "FIRST", &(struct delivered){ 0 });
	m = look(read_only, open_before, &s, &dies);
	ok(m && mailbox_count(m) == 2,
	   "a message that is being synced is seen (%s)",
	   read_only ? "EXAMINE" : "SELECT");
	ok(syncs.files > 0 && syncs.places > 0 && syncs.journals > 0,
	   "its content, name and record are made durable before (%s)",
	   open_before ? "NOOP" : "at once");
	close_folder(&m, &s);
	memset(&syncs, 0, sizeof(syncs));
	m = open_folder("INBOX", true, &s);
	ok(m && mailbox_count(m) == 2 && syncs.files == 0, "once");
	close_folder(&m, &s);
}

/* The same while it has no name; it never gets one. */
static void test_not_named(bool open_before)
{
	struct store *s;
	struct mailbox *m;

	fresh();
	deliver_to("INBOX", text, "FIRST", &(struct delivered){ 0 });
	m = look(false, open_before, &s, &dies_naming);
	ok(m && mailbox_count(m) == 1,
	   "a message that has no name yet is not told of (%s)",
	   open_before ? "NOOP" : "SELECT");
	close_folder(&m, &s);
}

/* A copy has no checksum in its record, and is made durable all the same. */
static void test_copy_looked_at(void)
{
	const struct mailbox_changes *c;
	uint32_t seq = 1, uid, validity;
	struct folder_id id;
	struct store *s, *s2;
	struct mailbox *m, *box;
	int status;
	pid_t pid;

	fresh();
	deliver_n("INBOX", 1);
	store_open(at.maildir, false, &s);
	store_create(s, "Box", NULL);
	store_close(&s);
	box = open_folder("Box", false, &s2);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		m = open_folder("INBOX", false, &s);
		dies_at_place = true;
		mailbox_copy(m, &seq, 1, "Box", false, &uid, &validity, &id);
		_exit(1);
	}
	ok(waitpid(pid, &status, 0) == pid && status == 0,
	   "a copy ends before its name is durable");
	memset(&syncs, 0, sizeof(syncs));
	ok(mailbox_refresh(box, true, &c) == ERR_OK &&
		   mailbox_count(box) == 1 && syncs.places > 0,
	   "it is made so before it is told of");
	close_folder(&box, &s2);
}

/* An expunge of message SEQ that ends between its record and the removal of
 * the first file. */
static bool begin_expunge(uint32_t seq)
{
	struct store *s;
	struct mailbox *m;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		m = open_folder("INBOX", true, &s);
		close_folder(&m, &s);
		/* the times of the directories are old enough to be kept */
		usleep(40000);
		m = open_folder("INBOX", false, &s);
		dies_unlinking = true;
		mailbox_expunge(m, &seq, 1, false);
		_exit(1);
	}
	return waitpid(pid, &status, 0) == pid && status == 0;
}

/* What the journal of INBOX says last. */
static bool last_totals(struct totals *t)
{
	struct buf b;
	int fd = open(path(DISK_JOURNAL), O_RDONLY);
	bool good;

	buf_init(&b, RECORD_MAX);
	good = journal_last(fd, file_size(path(DISK_JOURNAL)), &b) == ERR_OK;
	if (good)
		*t = ((const struct record *)(void *)b.data)->t;
	buf_free(&b);
	close(fd);
	return good;
}

static int files_of_inbox(void)
{
	return count_files("new") + count_files("cur");
}

/* Whose directory nobody touched since: but the next session looks there. */
static void test_expunge_is_finished(void)
{
	struct store *s;
	struct mailbox *m;

	fresh();
	deliver_n("INBOX", 3);
	ok(begin_expunge(2), "an expunge ends before its removal");
	m = open_folder("INBOX", true, &s);
	ok(mailbox_count(m) == 2 && files_of_inbox() == 2,
	   "whoever comes next removes the file");
	close_folder(&m, &s);
}

/* A message has one file in several folders, after a COPY or a MOVE: what is
 * done there changes the time of the file that is left here. */
static void expunge_copied(bool delivered)
{
	char name[600];

	fresh();
	deliver_n("INBOX", 3);
	begin_expunge(2);
	usleep(20000);
	if (!find_name("new", ",U=2", name))
		find_name("cur", ",U=2", name);
	if (link(path(name), path("copy")) < 0 || unlink(path("copy")) < 0)
		printf("# link\n");
	if (delivered)
		deliver_n("INBOX", 1);
}

static void test_expunge_of_copied(bool delivered)
{
	struct store *s;
	struct mailbox *m;
	struct totals t;

	/* a delivery that took long cannot say that nobody else was there:
	 * then the file may be a backup, and is kept */
	do
		expunge_copied(delivered);
	while (last_totals(&t) && !mark_has_time(t.mark[DIR_NEW]));
	m = open_folder("INBOX", false, &s);
	ok(mailbox_count(m) == 2u + delivered &&
		   files_of_inbox() == 2 + delivered,
	   "nor does its copy elsewhere bring it back%s",
	   delivered ? " when mail came in" : "");
	close_folder(&m, &s);
}

/* The file has the name that another program gave it. */
static void test_expunge_of_foreign(void)
{
	struct store *s;
	struct mailbox *m;

	fresh();
	deliver_n("INBOX", 1);
	write_file(path("new/1700000000.foreign"), text, TEXT_SIZE);
	begin_expunge(2);
	m = open_folder("INBOX", false, &s);
	ok(mailbox_count(m) == 1 && files_of_inbox() == 1,
	   "nor does one that another program delivered");
	close_folder(&m, &s);
	usleep(20000);
	write_file(path("new/1700000000.foreign"), text, TEXT_SIZE);
	m = open_folder("INBOX", false, &s);
	ok(mailbox_count(m) == 2, "which it may deliver again");
	close_folder(&m, &s);
}

/* An expunge that ended as it should leaves nothing to look for. */
static void test_expunge_at_rest(bool delivered)
{
	struct store *s;
	struct mailbox *m;
	struct totals t;
	uint32_t seq = 1;

	fresh();
	deliver_n("INBOX", 3);
	m = open_folder("INBOX", false, &s);
	close_folder(&m, &s);
	usleep(40000);
	m = open_folder("INBOX", false, &s);
	delivers_after_sync = delivered;
	mailbox_expunge(m, &seq, 1, false);
	delivers_after_sync = false;
	mailbox_totals(m, &t);
	ok(!marks_are_pending(&t),
	   "no file is looked for after an expunge%s",
	   delivered ? " beside a delivery" : "");
	close_folder(&m, &s);
}

/* Another program renames the file just before: it does not come back. */
static void test_expunge_of_renamed(void)
{
	const uint32_t seq = 1;
	char name[600], other[700];
	struct store *s;
	struct mailbox *m;

	fresh();
	deliver_n("INBOX", 2);
	m = open_folder("INBOX", false, &s);
	if (!find_name("cur", ",U=1", name))
		find_name("new", ",U=1", name);
	snprintf(other, sizeof(other), "cur/%.*s:2,F",
		 (int)strcspn(name + 4, ":"), name + 4);
	ok(rename(path(name), path(other)) == 0, "a flag is set by another");
	ok(mailbox_expunge(m, &seq, 1, false) == ERR_OK, "it is expunged");
	close_folder(&m, &s);
	m = open_folder("INBOX", true, &s);
	ok(mailbox_count(m) == 1 && mailbox_uid(m, 1) == 2,
	   "and does not come back: %u", mailbox_count(m));
	close_folder(&m, &s);
}

/* That it is done is said when it is: after the sync of the places. */
static void test_expunge_is_synced(void)
{
	const uint32_t seq = 1;
	struct store *s;
	struct mailbox *m;
	struct totals t;
	int status;
	pid_t pid;

	fresh();
	deliver_n("INBOX", 2);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		m = open_folder("INBOX", false, &s);
		dies_at_place = true;
		mailbox_expunge(m, &seq, 1, false);
		_exit(1);
	}
	ok(waitpid(pid, &status, 0) == pid && status == 0,
	   "an expunge ends before its sync");
	ok(last_totals(&t) && marks_are_pending(&t),
	   "its files may be there: a power cut can bring them back");
	m = open_folder("INBOX", true, &s);
	mailbox_totals(m, &t);
	ok(mailbox_count(m) == 1 && !marks_are_pending(&t),
	   "whoever comes next ends it");
	close_folder(&m, &s);
}

/* An expunge that ended between its record and the file's removal; and a file
 * that is put back later. */
static void test_expunge(void)
{
	struct store *s;
	struct mailbox *m;
	char name[600], *data;
	size_t n;
	bool ended;

	fresh();
	deliver_n("INBOX", 2);
	find_name("new", ",U=1", name);
	data = slurp(path(name), &n);
	ended = begin_expunge(1);
	utimensat(AT_FDCWD, path("new"), NULL, 0);
	utimensat(AT_FDCWD, path("cur"), NULL, 0);
	m = open_folder("INBOX", false, &s);
	ok(ended && mailbox_count(m) == 1 && mailbox_uid(m, 1) == 2 &&
		   count_files("new") + count_files("cur") == 1,
	   "an expunged message does not come back");
	close_folder(&m, &s);
	usleep(20000);
	write_file(path(name), data, n);
	m = open_folder("INBOX", false, &s);
	ok(mailbox_count(m) == 2 && mailbox_uid(m, 2) == 3,
	   "unless somebody puts it back");
	close_folder(&m, &s);
	free(data);
}

/* What is put aside takes the place of nothing in tmp. */
static void test_put_aside(void)
{
	struct store *s;
	struct mailbox *m;
	char name[600], there[700], *data;
	size_t n;

	prepare(HALF_ZEROS, "new");
	find_name("new", "posthorn", name);
	sprintf(there, "tmp/%s", name + 4);
	write_file(path(there), "of before", 9);
	m = open_folder("INBOX", false, &s);
	data = slurp(path(there), &n);
	ok(count_files("new") == 0 && count_files("tmp") == 2 && n == 9 &&
		   memcmp(data, "of before", 9) == 0,
	   "what is put aside takes the place of nothing");
	close_folder(&m, &s);
	free(data);
}

/* The power goes again while that is done: the name is back, and must find its
 * record. */
static void test_put_aside_is_synced(bool by_delivery)
{
	struct delivered out;
	struct store *s;
	struct mailbox *m;
	char name[600];
	int status;
	pid_t pid;

	prepare(HALF_ZEROS, "new");
	find_name("new", "posthorn", name);
	if (link(path(name), path("kept")) < 0)
		printf("# link\n");
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dies_at_place = true;
		if (by_delivery)
			deliver_to("INBOX", text, "Q1", &out);
		else
			open_folder("INBOX", false, &s);
		_exit(1);
	}
	ok(waitpid(pid, &status, 0) == pid && status == 0 &&
		   access(path(name), F_OK) < 0,
	   "what is torn is put aside, and that is synced");
	rename(path("kept"), path(name));
	m = open_folder("INBOX", true, &s);
	ok(m && mailbox_count(m) == 0, "it is not shown when it is back: %s",
	   by_delivery ? "a delivery had it" : "a session had it");
	close_folder(&m, &s);
}

/* Several in one record, one of them harmed. */
static void test_one_of_several(void)
{
	struct store *s;
	struct mailbox *m;
	struct append *a;
	struct folder_id id;
	uint32_t validity, uid;
	char name[600];
	int status, i;
	pid_t pid;

	fresh();
	store_open(at.maildir, true, &s);
	validity_of("INBOX", &validity, &uid);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dies = true;
		append_new(s, "INBOX", &a);
		for (i = 0; i < 3; i++) {
			append_begin(a, 0, NULL, 0, -1);
			append_write(a, text, strlen(text));
		}
		append_commit(a, &validity, &uid, &id);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	find_name("new", ",U=2", name);
	harm(path(name), ZEROS);
	store_close(&s);
	m = open_folder("INBOX", false, &s);
	ok(mailbox_count(m) == 2 && mailbox_uid(m, 1) == 1 &&
		   mailbox_uid(m, 2) == 3 && text_is(m, 1, text) &&
		   text_is(m, 2, text),
	   "of several messages those that are whole stay");
	close_folder(&m, &s);
}

static bool any_damaged(void)
{
	DIR *d = opendir(at.maildir);
	struct dirent *e;
	bool any = false;

	while ((e = readdir(d)))
		any |= strstr(e->d_name, ".damaged") != NULL;
	closedir(d);
	return any;
}

/* The disk wrote the later of two records, and of the one before a part. With
 * PROMISED the later one was promised: then both were on the disk. */
static void test_out_of_order(bool promised)
{
	static const char zeros[64];
	struct delivered out;
	uint32_t v, now, count, next;
	long first;
	int fd;

	fresh();
	deliver_to("INBOX", text, "FIRST", &out);
	v = validity_of("INBOX", &count, &next);
	first = file_size(path(DISK_JOURNAL));
	begin_delivery("Q1");
	if (promised)
		deliver_to("INBOX", text, "Q2", &out);
	else
		begin_delivery("Q2");
	fd = open(path(DISK_JOURNAL), O_WRONLY);
	if (pwrite(fd, zeros, sizeof(zeros), first + 80) < 0)
		printf("# pwrite\n");
	close(fd);
	now = validity_of("INBOX", &count, &next);
	ok(count == 3 && any_damaged() == promised && (now == v) == !promised,
	   promised ? "a record before one that was promised is damaged"
		    : "one before others that were not is torn, no more");
}

/* A message that was promised is another matter: see mailbox-others. */
static void test_promised(void)
{
	struct delivered out;
	char name[600];

	fresh();
	deliver_to("INBOX", text, "Q1", &out);
	find_name("new", "posthorn", name);
	harm(path(name), SHORT);
	ok(deliver_to("INBOX", text, "Q1", &out) == ERR_OK && out.duplicate,
	   "what was promised counts as delivered whatever others made of it");
	ok(count_files("new") == 1, "and stays");
}

/* Another session looks while an expunge is between its record and the removal
 * of the files: it leaves them to it. */
static void test_expunge_under_way(void)
{
	struct store *s;
	struct mailbox *m;

	fresh();
	deliver_n("INBOX", 2);
	begin_expunge(1);
	utimensat(AT_FDCWD, path("new"), NULL, 0);
	utimensat(AT_FDCWD, path("cur"), NULL, 0);
	leftover_busy_us = 60000000;
	m = open_folder("INBOX", false, &s);
	ok(mailbox_count(m) == 1 && files_of_inbox() == 2 &&
		   count_files("tmp") == 0,
	   "an expunge under way is left to its session");
	close_folder(&m, &s);
	leftover_busy_us = 0;
	m = open_folder("INBOX", false, &s);
	ok(mailbox_count(m) == 1 && files_of_inbox() == 1,
	   "one that has ended is finished by the next");
	close_folder(&m, &s);
}

int main(void)
{
	int h;

	leftover_busy_us = 0; /* nobody waits for processes that ended */

	make_text();
	for (h = 0; h < NHARMS; h++) {
		test_again((enum harm)h, "new");
		test_again((enum harm)h, "cur");
		test_look((enum harm)h, false);
		test_look((enum harm)h, true);
	}
	test_killed();
	test_looked_at(true, false);
	test_looked_at(false, false);
	test_looked_at(true, true);
	test_looked_at(false, true);
	test_not_named(false);
	test_not_named(true);
	test_copy_looked_at();
	test_expunge();
	test_expunge_is_finished();
	test_expunge_of_copied(false);
	test_expunge_of_copied(true);
	test_expunge_of_foreign();
	test_expunge_at_rest(false);
	test_expunge_at_rest(true);
	test_one_of_several();
	test_put_aside();
	test_put_aside_is_synced(true);
	test_put_aside_is_synced(false);
	test_expunge_is_synced();
	test_expunge_of_renamed();
	test_expunge_under_way();
	test_out_of_order(false);
	test_out_of_order(true);
	test_promised();
	clean();
	return done();
}
