/*
 * An expunge of very many messages: who asked for it does not wait until all
 * files are removed, nobody else waits for it, and if it ends in the middle the
 * next session ends it, without a search for each.
 */
#include <errno.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "index/mark.h"
#include "mailbox/leftover.h"
#include "mailbox/private.h"
#include "mailbox/removal.h"
#include "t/unit/mailbox-lib.h"

#define MANY 1000

static int unlinks, reads, until = -1; /* then the process ends */
static useconds_t slow;

int unlinkat(int dir, const char *name, int flags)
{
	unlinks++;
	if (until >= 0 && until-- == 0)
		_exit(0);
	if (slow > 0)
		usleep(slow);
	return (int)syscall(SYS_unlinkat, dir, name, flags);
}

ssize_t pread(int fd, void *p, size_t n, off_t off)
{
	reads++;
	return syscall(SYS_pread64, fd, p, n, off);
}

static uint32_t seq[MANY];

/* MANY messages of another program, and one of ours, the last. */
static void fill(void)
{
	struct store *s;
	struct mailbox *m;
	char name[256];
	int i;

	fresh();
	m = open_folder("INBOX", false, &s);
	close_folder(&m, &s);
	for (i = 0; i < MANY; i++) {
		seq[i] = (uint32_t)i + 1;
		snprintf(name, sizeof(name), "cur/17%08u.%0180d:2,S", i, 0);
		write_file(path(name), "A: b\n\nx\n", 8);
	}
	m = open_folder("INBOX", false, &s);
	close_folder(&m, &s);
	deliver_n("INBOX", 1);
}

static bool holds_last(const char *when)
{
	struct store *s;
	struct mailbox *m = open_folder("INBOX", true, &s);
	bool good = m && mailbox_count(m) == 1 &&
		    mailbox_uid(m, 1) == MANY + 1;

	if (!good && m)
		printf("# %s: %u messages\n", when, mailbox_count(m));
	close_folder(&m, &s);
	return good;
}

static void test_patience(void)
{
	const struct mailbox_changes *c;
	struct store *s;
	struct mailbox *m;
	struct totals t;

	fill();
	m = open_folder("INBOX", false, &s);
	slow = 3000;
	ok(mailbox_expunge(m, seq, MANY, false) == ERR_OK &&
		   mailbox_is_removing(m) && unlinks < MANY,
	   "an expunge of very many is done before all files are removed");
	ok(mailbox_refresh(m, true, &c) == ERR_OK && c->nexpunged == MANY &&
		   mailbox_count(m) == 1,
	   "the session knows that they are gone");
	slow = 0;
	ok(holds_last("beside") && count_files("cur") > 1 &&
		   count_files("tmp") == 0,
	   "and so does another, which leaves the files alone");
	deliver_n("INBOX", 1);
	while (mailbox_settle(m))
		;
	mailbox_refresh(m, true, &c);
	mailbox_totals(m, &t);
	ok(files_of_inbox() == 2 && count_files("tmp") == 0 &&
		   mailbox_count(m) == 2 && !mark_is_pending(&t),
	   "the rest is removed later");
	close_folder(&m, &s);
}

/* However long it takes, and whatever others expunge meanwhile. */
static void test_beside(void)
{
	const struct mailbox_changes *c;
	const uint32_t one = 1;
	struct store *s, *s2;
	struct mailbox *m, *m2;

	fill();
	leftover_busy_us = 2000000;
	removal_say_ms = 0;
	m = open_folder("INBOX", false, &s);
	slow = 3000;
	ok(mailbox_expunge(m, seq, MANY, false) == ERR_OK &&
		   mailbox_is_removing(m),
	   "another expunge of very many");
	slow = 0;
	m2 = open_folder("INBOX", false, &s2);
	ok(mailbox_count(m2) == 1 &&
		   mailbox_expunge(m2, &one, 1, false) == ERR_OK,
	   "beside it one of one message");
	close_folder(&m2, &s2);
	usleep(2200000);
	slow = 1000;
	mailbox_refresh(m, true, &c);
	slow = 0;
	m2 = open_folder("INBOX", true, &s2);
	ok(mailbox_is_removing(m) && mailbox_count(m2) == 0 &&
		   count_files("tmp") == 0,
	   "whoever comes later sees that it goes on");
	close_folder(&m2, &s2);
	close_folder(&m, &s);
	ok(files_of_inbox() + count_files("tmp") == 0, "to its end");
	leftover_busy_us = 10000000;
}

/* The session ends: its caller has said goodbye. */
static void test_close(void)
{
	struct store *s;
	struct mailbox *m;

	fill();
	m = open_folder("INBOX", false, &s);
	slow = 3000;
	ok(mailbox_expunge(m, seq, MANY, false) == ERR_OK, "the same");
	slow = 0;
	close_folder(&m, &s);
	ok(files_of_inbox() == 1, "and at the end of the session");
}

/* An expunge that ends after so many files. */
static bool ends_after(int after)
{
	struct store *s;
	struct mailbox *m;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		m = open_folder("INBOX", false, &s);
		until = after;
		mailbox_expunge(m, seq, MANY, false);
		_exit(1);
	}
	return waitpid(pid, &status, 0) == pid && status == 0;
}

static void test_end(int after)
{
	fill();
	/* the times of the directories are old enough to be kept */
	usleep(40000);
	ok(holds_last("before") == false, "%d messages", MANY + 1);
	ok(ends_after(after), "an expunge ends after %d files", after);
	reads = 0;
	ok(holds_last("after"), "none of the messages comes back");
	ok(reads < 500, "nor is the journal searched for each: %d reads",
	   reads);
	ok(holds_last("later") && files_of_inbox() == 1,
	   "and no file is left there: %d", files_of_inbox());
}

/* What has become of copies elsewhere, which are the same files, changes the
 * times of those that are left. */
static void touch_by_copies(const char *dir)
{
	DIR *d = opendir(path(dir));
	char name[600];
	struct dirent *e;

	while ((e = readdir(d))) {
		snprintf(name, sizeof(name), "%s/%s", dir, e->d_name);
		if (e->d_name[0] != '.' &&
		    (link(path(name), path("copy")) < 0 ||
		     unlink(path("copy")) < 0))
			printf("# link of %s\n", name);
	}
	closedir(d);
}

static void test_copied(void)
{
	struct store *s;
	struct mailbox *m;

	fill();
	usleep(40000);
	ok(ends_after(MANY / 2) && count_files("cur") > 1, "an expunge ends");
	usleep(40000);
	touch_by_copies("cur");
	ok(holds_last("copied"), "what was copied elsewhere stays away as well");
	write_file(path("cur/1700000999.back:2,S"), "A: b\n\nx\n", 8);
	m = open_folder("INBOX", false, &s);
	ok(mailbox_count(m) == 2, "and other mail comes in");
	close_folder(&m, &s);
}

static uint32_t status_messages(void)
{
	struct store_status st = { 0 };
	struct store *s;

	if (store_open(at.maildir, true, &s) != ERR_OK)
		return UINT32_MAX;
	if (store_status(s, "INBOX", false, &st) != ERR_OK)
		st.messages = UINT32_MAX;
	store_close(&s);
	return st.messages;
}

static void look_again(bool read_only)
{
	struct store *s;
	struct mailbox *m = open_folder("INBOX", read_only, &s);

	close_folder(&m, &s);
}

/* The journal is long, and nearly all of it history: sessions that leave the
 * files to the expunge, since it may be under way, must not forget them. */
static void test_short_sessions(void)
{
	fill();
	ok(ends_after(MANY / 2), "an expunge ends");
	ok(file_size(path(DISK_JOURNAL)) >= 256 << 10 && count_files("cur") > 1,
	   "the journal is a long one");
	leftover_busy_us = 60000000;
	look_again(false);
	look_again(true);
	deliver_n("INBOX", 1);
	ok(status_messages() == 2, "STATUS does not count what is left");
	look_again(false);
	ok(count_files("cur") > 2, "and nobody removes it at once");
	leftover_busy_us = 0;
	look_again(false);
	ok(status_messages() == 2 && files_of_inbox() == 2,
	   "none of it comes back after short sessions");
	ok(file_size(path(DISK_JOURNAL)) < 256 << 10,
	   "then the journal is made shorter");
}

int main(void)
{
	test_patience();
	test_close();
	test_beside();
	leftover_busy_us = 0; /* nobody waits for processes that ended */
	test_end(0);
	test_end(MANY / 2);
	test_copied();
	test_short_sessions();
	clean();
	return done();
}
