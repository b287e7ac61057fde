/*
 * When lib/mailbox syncs, what it does if that fails, and when it reads a
 * directory: fsync, fdatasync and fdopendir are counted, and made to fail,
 * below.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <sys/syscall.h>

#include "index/disk.h"
#include "t/unit/mailbox-lib.h"

static struct {
	int files, dirs, journals;
	int root;    /* what the Maildir is in, while it had no `cur` */
	int maildir; /* the Maildir */
	int fail;    /* the next so many of journals */
	int fail_ahead; /* … and of the numbers that are written ahead */
} syncs;

static bool is_at(const struct stat *st, const char *p)
{
	struct stat other;

	return stat(p, &other) == 0 && st->st_ino == other.st_ino &&
	       st->st_dev == other.st_dev;
}

int fsync(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0)
		*(S_ISDIR(st.st_mode) ? &syncs.dirs : &syncs.files) += 1;
	syncs.maildir += is_at(&st, at.maildir);
	syncs.root += is_at(&st, at.root) && access(path("cur"), F_OK) < 0;
	return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && is_at(&st, path(DISK_JOURNAL))) {
		syncs.journals++;
		if (syncs.fail > 0) {
			syncs.fail--;
			errno = EIO;
			return -1;
		}
	}
	if (syncs.fail_ahead > 0 && fstat(fd, &st) == 0 &&
	    is_at(&st, path(DISK_LOCK))) {
		syncs.fail_ahead--;
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

static int listings;

DIR *fdopendir(int fd)
{
	DIR *(*real)(int);

	*(void **)&real = dlsym(RTLD_NEXT, "fdopendir");
	listings++;
	return real(fd);
}

static void begin_count(void)
{
	memset(&syncs, 0, sizeof(syncs));
}

static int store_flag(struct mailbox *m, unsigned flag)
{
	uint32_t seq = 1;

	return mailbox_store(m, &seq, 1, MAILBOX_ADD, flag, 0, UINT64_MAX,
			     NULL);
}

/* A UID or mod-sequence is told only from a synced record. */
static void test_told(void)
{
	static const char text[] = "Subject: foreign\n\nx\n";
	const struct mailbox_changes *c;
	struct store *s, *s2;
	struct mailbox *m, *other;

	fresh();
	deliver_n("INBOX", 1);
	m = open_folder("INBOX", false, &s);
	other = open_folder("INBOX", false, &s2);
	write_file(path("new/1.other"), text, strlen(text));
	begin_count();
	ok(mailbox_refresh(m, true, &c) == ERR_OK && mailbox_count(m) == 2 &&
		   syncs.journals > 0,
	   "the UID of another program's file is durable before it is told");
	mailbox_refresh(other, true, &c);
	store_flag(m, MAILBOX_SEEN);
	begin_count();
	ok(mailbox_refresh(other, true, &c) == ERR_OK && c->nflagged == 1 &&
		   syncs.journals > 0,
	   "so is the mod-sequence of another session's change");
	begin_count();
	ok(mailbox_refresh(other, true, &c) == ERR_OK && syncs.journals == 0,
	   "once is enough");
	unlink(path("new/1.other"));
	unlink(path("cur/1.other:2,"));
	begin_count();
	ok(mailbox_refresh(m, true, &c) == ERR_OK && c->nexpunged == 1 &&
		   syncs.journals > 0,
	   "and that a file is gone");
	close_folder(&other, &s2);
	close_folder(&m, &s);
}

/* Numbers are given out only below those that are written ahead. */
static void test_ahead(void)
{
	struct delivered out;
	uint32_t count, next;

	fresh();
	deliver_n("Box", 1);
	begin_count();
	syncs.fail_ahead = 1;
	ok(deliver_to("INBOX", "A: b\r\n\r\nx\r\n", "", &out) != ERR_OK &&
		   syncs.fail_ahead == 0,
	   "no number is given out if the mark ahead of it cannot be synced");
	ok(deliver_to("INBOX", "A: b\r\n\r\nx\r\n", "", &out) == ERR_OK &&
		   validity_of("INBOX", &count, &next) > 0 && count == 1,
	   "and then it is");
}

/* A journal is lost under a session, and cannot be made again now. */
static void test_lost(void)
{
	struct store *s;
	struct mailbox *m;

	fresh();
	deliver_n("INBOX", 1);
	m = open_folder("INBOX", false, &s);
	unlink(path(DISK_JOURNAL));
	begin_count();
	syncs.fail_ahead = 1;
	ok(store_flag(m, MAILBOX_SEEN) != ERR_OK && syncs.fail_ahead == 0,
	   "no change is promised without a journal");
	ok(store_flag(m, MAILBOX_FLAGGED) == ERR_OK &&
		   access(path(DISK_JOURNAL), F_OK) == 0,
	   "and then it is there");
	close_folder(&m, &s);
	m = open_folder("INBOX", true, &s);
	ok(mailbox_get(m, 1).flags & MAILBOX_FLAGGED, "with the change");
	close_folder(&m, &s);
}

static void test_status(void)
{
	struct store *s;
	struct store_status st;

	fresh();
	deliver_n("INBOX", 1);
	store_open(at.maildir, false, &s);
	usleep(50000); /* longer than a tick of the file system's clock */
	store_status(s, "INBOX", false, &st);
	deliver_n("INBOX", 1);
	begin_count();
	ok(store_status(s, "INBOX", false, &st) == ERR_OK && st.uidnext == 3 &&
		   syncs.journals > 0,
	   "what STATUS tells is durable");
	store_close(&s);
}

/* After our own writes the directory needs no scan. */
static void test_no_scan(void)
{
	const struct mailbox_changes *c;
	struct store *s;
	struct mailbox *m;

	fresh();
	deliver_n("INBOX", 1);
	m = open_folder("INBOX", false, &s);
	usleep(50000);
	mailbox_refresh(m, true, &c);
	listings = 0;
	deliver_n("INBOX", 1);
	ok(mailbox_refresh(m, true, &c) == ERR_OK && mailbox_count(m) == 2 &&
		   listings == 0,
	   "a delivery of ours makes nobody read the directory");
	usleep(50000); /* times of files may be as coarse as a tick */
	write_file(path("new/1.other"), "A: b\n\n", 6);
	ok(mailbox_refresh(m, true, &c) == ERR_OK && mailbox_count(m) == 3 &&
		   listings > 0,
	   "another program's does");
	close_folder(&m, &s);
}

/* OK to STORE means durable, also if another's record says the same. */
static void test_same_flags(void)
{
	struct store *s, *s2;
	struct mailbox *m, *other;

	fresh();
	deliver_n("INBOX", 1);
	m = open_folder("INBOX", false, &s);
	other = open_folder("INBOX", false, &s2);
	syncs.fail = 1;
	store_flag(m, MAILBOX_SEEN);
	begin_count();
	ok(store_flag(other, MAILBOX_SEEN) == ERR_OK && syncs.journals > 0,
	   "a flag that is set already is made durable");
	close_folder(&other, &s2);
	close_folder(&m, &s);
}

static ino_t journal_number(void)
{
	struct stat st;

	return stat(path(DISK_JOURNAL), &st) < 0 ? 0 : st.st_ino;
}

/* What a failed sync was to write is lost, though the next one succeeds. */
static void test_failed_sync(void)
{
	const struct mailbox_changes *c;
	struct delivered out;
	struct store *s, *s2;
	struct mailbox *m, *other;
	ino_t before;

	fresh();
	deliver_n("INBOX", 2);
	m = open_folder("INBOX", false, &s);
	other = open_folder("INBOX", false, &s2);
	before = journal_number();
	syncs.fail = 1;
	ok(store_flag(m, MAILBOX_SEEN) != ERR_OK,
	   "a journal that cannot be synced: the change fails");
	ok(journal_number() != before, "the journal is written anew");
	ok(store_flag(m, MAILBOX_FLAGGED) == ERR_OK &&
		   mailbox_refresh(m, true, &c) == ERR_OK &&
		   mailbox_count(m) == 2,
	   "the session goes on");
	ok(mailbox_refresh(other, true, &c) == ERR_OK &&
		   mailbox_count(other) == 2 &&
		   mailbox_get(other, 1).flags ==
			   (MAILBOX_SEEN | MAILBOX_FLAGGED) &&
		   mailbox_uidvalidity(other) == mailbox_uidvalidity(m),
	   "others follow, nothing is numbered anew");
	before = journal_number();
	syncs.fail = 1;
	ok(deliver_to("INBOX", "A: b\r\n\r\nx\r\n", "Q1", &out) != ERR_OK &&
		   journal_number() != before,
	   "the same for a delivery");
	ok(deliver_to("INBOX", "A: b\r\n\r\nx\r\n", "Q1", &out) == ERR_OK &&
		   !out.duplicate,
	   "which is done again");
	ok(mailbox_refresh(m, true, &c) == ERR_OK && mailbox_count(m) == 3,
	   "and is there once");
	close_folder(&other, &s2);
	close_folder(&m, &s);
}

/* MOVE keeps the file: one that was delivered just now, by a process that
 * has not synced it yet, must be durable before OK. */
static void test_copy(void)
{
	struct store *s;
	struct mailbox *m;
	uint32_t seq = 1, uid, validity;
	struct folder_id folder;

	fresh();
	deliver_n("INBOX", 1);
	m = open_folder("INBOX", false, &s);
	store_create(s, "Box", NULL);
	begin_count();
	ok(mailbox_copy(m, &seq, 1, "Box", true, &uid, &validity, &folder) ==
			   ERR_OK &&
		   syncs.files > 0 && syncs.dirs > 0,
	   "the content of what is moved is synced");
	close_folder(&m, &s);
}

/* Who made a folder may have died before it was durable: who finds it not
 * done makes it so. */
static void test_names(void)
{
	struct delivered out;
	struct store *s;
	struct mailbox *m;

	fresh();
	mkdir(at.maildir, 0700);
	begin_count();
	ok(deliver_to("INBOX", "A: b\r\n\r\nx\r\n", "", &out) == ERR_OK,
	   "a Maildir that was begun is finished");
	ok(syncs.root > 0 && syncs.maildir > 0,
	   "its name is durable before it counts as whole");
	mkdir(path(".Half"), 0700);
	mkdir(path(".Half/cur"), 0700);
	begin_count();
	m = open_folder("Half", false, &s);
	ok(m && syncs.maildir > 0,
	   "so is the name of a folder that has no journal yet");
	close_folder(&m, &s);
}

int main(void)
{
	test_told();
	test_ahead();
	test_lost();
	test_status();
	test_no_scan();
	test_same_flags();
	test_failed_sync();
	test_copy();
	test_names();
	clean();
	return done();
}
