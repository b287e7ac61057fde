/*
 * An expunge that a power cut ended is finished by the next session, and nothing
 * that somebody put there is taken for what it left.
 */
#include "t/unit/mailbox-power.h"

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
	ok(!mark_is_pending(&t),
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
	ok(last_totals(&t) && mark_is_pending(&t),
	   "its files may be there: a power cut can bring them back");
	m = open_folder("INBOX", true, &s);
	mailbox_totals(m, &t);
	ok(mailbox_count(m) == 1 && !mark_is_pending(&t),
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
	leftover_busy_us = 0; /* nobody waits for processes that ended */
	make_text();
	test_expunge();
	test_expunge_is_finished();
	test_expunge_of_copied(false);
	test_expunge_of_copied(true);
	test_expunge_of_foreign();
	test_expunge_at_rest(false);
	test_expunge_at_rest(true);
	test_expunge_is_synced();
	test_expunge_of_renamed();
	test_expunge_under_way();
	clean();
	return done();
}
