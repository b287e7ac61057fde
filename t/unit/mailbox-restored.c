/*
 * lib/mailbox when a backup is put back over a folder, as `cp -a` or rsync do
 * it: what came after the backup is there, no UID is given twice, and nothing
 * is removed that nobody expunged.
 */
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "mailbox/private.h"
#include "mailbox/leftover.h"
#include "t/unit/mailbox-lib.h"

static bool dies_unlinking, apart;
static int slow_note; /* the slow one of those to come; 0: none */
static time_t ahead; /* seconds of the wall clock */

int unlinkat(int dir, const char *name, int flags)
{
	if (dies_unlinking)
		_exit(0);
	return (int)syscall(SYS_unlinkat, dir, name, flags);
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
	int code = (int)syscall(SYS_clock_gettime, clock, t);

	if (clock == CLOCK_REALTIME)
		t->tv_sec += ahead;
	return code;
}

/* A disk that is busy with others. */
ssize_t pwrite(int fd, const void *data, size_t n, off_t at_)
{
	if (slow_note && n == sizeof(struct journal_note) &&
	    at_ == JOURNAL_NOTE_AT && --slow_note == 0)
		usleep(1300000);
	return syscall(SYS_pwrite64, fd, data, n, at_);
}

/* A file system that takes the times of a write one after the other. */
int fstat(int fd, struct stat *st)
{
	int code = (int)syscall(SYS_newfstatat, fd, "", st, AT_EMPTY_PATH);

	if (apart && code == 0)
		st->st_mtim.tv_nsec ^= 1;
	return code;
}

static bool run(const char *command)
{
	char *line = mem_printf("cd '%s' && %s", at.maildir, command);
	bool good = system(line) == 0;

	free(line);
	return good;
}

static uint32_t deliver(const char *subject)
{
	char text[100];
	struct delivered out;

	snprintf(text, sizeof(text), "Subject: %s\r\n\r\n", subject);
	return deliver_to("INBOX", text, "", &out) == ERR_OK ? out.uid : 0;
}

/* The UID under which SUBJECT is there; 0: it is not, or twice. */
static uint32_t uid_of(struct mailbox *m, const char *subject)
{
	char *want = mem_printf("Subject: %s\r\n", subject);
	uint32_t seq, uid = 0, found = 0;
	struct buf b;

	buf_init(&b, 1 << 20);
	for (seq = 1; seq <= mailbox_count(m); seq++) {
		buf_reset(&b);
		if (mailbox_text(m, seq, &b) != ERR_OK || !b.len ||
		    !strstr(b.data, want))
			continue;
		uid = mailbox_uid(m, seq);
		found++;
	}
	buf_free(&b);
	free(want);
	return found == 1 ? uid : 0;
}

static void expunge(const char *subject)
{
	struct store *s;
	struct mailbox *m = open_folder("INBOX", false, &s);
	uint32_t seq = mailbox_find(m, uid_of(m, subject));

	if (mailbox_expunge(m, &seq, 1, false) != ERR_OK)
		printf("# %s is not expunged\n", subject);
	close_folder(&m, &s);
}

/* Four messages; a backup; then one is expunged, and three come. */
static void begin(void)
{
	static const char *const old[] = { "old1", "old2", "old3", "old4" };
	struct store *s;
	struct mailbox *m;
	size_t i;

	fresh();
	for (i = 0; i < 4; i++)
		deliver(old[i]);
	m = open_folder("INBOX", false, &s);
	close_folder(&m, &s);
	run("rm -rf ../backup && cp -a . ../backup");
	expunge("old2");
	deliver("new1");
	deliver("new2");
	deliver("new3");
}

/* Within a second: a backup, then a message, then the backup. */
static void begin_at_once(void)
{
	fresh();
	deliver("old1");
	deliver("old2");
	run("rm -rf ../backup && cp -a . ../backup");
	deliver("new1");
}

static bool all_there(struct mailbox *m, uint32_t n)
{
	static const char *const subject[] = { "old1", "old2", "old3", "old4",
					       "new1", "new2", "new3" };
	bool good = mailbox_count(m) == n;
	size_t i;

	for (i = 0; i < 7; i++)
		if (!uid_of(m, subject[i])) {
			printf("# %s is not there\n", subject[i]);
			good = false;
		}
	return good;
}

static const char *const ways[] = {
	"cp -a ../backup/. .",			    /* in place */
	"cp -a --remove-destination ../backup/. .", /* as rsync and tar do */
	"rm -rf new cur tmp posthorn-* && cp -a ../backup/. .",
};

static void test_opened(const char *way)
{
	struct store *s;
	struct mailbox *m;
	uint32_t later;

	begin();
	run(way);
	m = open_folder("INBOX", false, &s);
	ok(all_there(m, 7) && uid_of(m, "new1") == 5 && uid_of(m, "new3") == 7,
	   "%s: what came later is there, under its UIDs", way);
	close_folder(&m, &s);
	later = deliver("later");
	ok(later > 7, "%s: the next UID is new: %u", way, later);
}

/* What a client is told that comes back with the mod-sequence that it knew
 * before: all messages as changed, and all else as vanished. */
static void test_modseq(const char *way)
{
	struct store *s;
	struct mailbox *m;
	struct buf ranges;
	const struct mailbox_range *r;
	uint64_t known;
	uint32_t seq, same = 0;

	begin();
	expunge("new2");
	m = open_folder("INBOX", false, &s);
	known = mailbox_reported(m);
	close_folder(&m, &s);
	run(way);
	deliver("later");
	m = open_folder("INBOX", false, &s);
	for (seq = 1; seq <= mailbox_count(m); seq++)
		same += mailbox_get(m, seq).modseq <= known;
	ok(same == 0 && mailbox_reported(m) > known,
	   "%s: mod-sequences are above those before", way);
	buf_init(&ranges, 1 << 20);
	mailbox_vanished(m, known, &ranges);
	r = (const void *)ranges.data;
	ok(ranges.len >= sizeof(*r) && r[0].first <= 6 && r[0].last >= 6,
	   "%s: UID 6 is known to have vanished", way);
	buf_free(&ranges);
	close_folder(&m, &s);
}

static void test_delivered(const char *way)
{
	struct store *s;
	struct mailbox *m;
	uint32_t later;

	begin();
	run(way);
	later = deliver("later");
	ok(later > 7, "%s, a delivery first: its UID is new: %u", way, later);
	expunge("later");
	write_file(path("new/1.foreign"), "Subject: foreign\n\nx\n", 20);
	m = open_folder("INBOX", false, &s);
	ok(all_there(m, 8), "%s: all is there after an expunge", way);
	close_folder(&m, &s);
	m = open_folder("INBOX", false, &s);
	ok(all_there(m, 8), "%s: and stays", way);
	close_folder(&m, &s);
}

/* The session has the folder as it was; whatever it says of that, all is well
 * for who comes next. */
static void test_beside(const char *way)
{
	const struct mailbox_changes *c;
	struct store *s, *s2;
	struct mailbox *m, *m2;
	int code;

	begin();
	m = open_folder("INBOX", false, &s);
	run(way);
	code = mailbox_refresh(m, true, &c);
	deliver("later");
	if (!code)
		code = mailbox_refresh(m, true, &c);
	printf("# the open session: %s\n", err_text(code));
	m2 = open_folder("INBOX", false, &s2);
	ok(all_there(m2, 8), "%s beside a session: all is there", way);
	ok(code || all_there(m, 8), "%s: for that session, too, or it ends",
	   way);
	close_folder(&m2, &s2);
	close_folder(&m, &s);
}

static void test_at_once(const char *way)
{
	uint32_t later;

	begin_at_once();
	run(way);
	later = deliver("later");
	ok(later > 3, "%s within a second: the next UID is new: %u", way,
	   later);
	ok(deliver("last") == later + 1, "%s: and nothing is restored then",
	   way);
}

/* Restored twice: what came between is not given out again. */
static void test_twice(const char *way)
{
	struct store *s;
	struct mailbox *m;
	uint32_t between, later;
	uint64_t known;

	begin();
	run(way);
	deliver("between1");
	between = deliver("between");
	expunge("between1");
	expunge("between");
	m = open_folder("INBOX", false, &s);
	known = mailbox_reported(m);
	close_folder(&m, &s);
	usleep(200000);
	run("cp -a ../backup/. .");
	later = deliver("later");
	ok(later > between, "%s twice: %u after %u", way, later, between);
	m = open_folder("INBOX", false, &s);
	ok(mailbox_reported(m) > known, "%s twice: the mod-sequence", way);
	close_folder(&m, &s);
}

/* Copies all messages until there are more than N; the highest UID. */
static uint32_t multiply(struct mailbox *m, uint32_t n)
{
	static uint32_t seq[8192], uid[8192];
	const struct mailbox_changes *c;
	uint32_t validity, have = mailbox_count(m);
	struct folder_id id;
	int code = ERR_OK;

	while (!code && mailbox_count(m) <= n) {
		have = mailbox_count(m);
		for (uint32_t i = 0; i < have; i++)
			seq[i] = i + 1;
		code = mailbox_copy(m, seq, have, "INBOX", false, uid,
				    &validity, &id);
		if (!code)
			code = mailbox_refresh(m, true, &c);
	}
	return code ? UINT32_MAX : uid[have - 1];
}

/* More than the mark is ahead came and went since the backup. */
static void test_many(const char *way)
{
	static uint32_t seq[8192];
	struct store *s;
	struct mailbox *m;
	uint32_t last, later, n;

	begin();
	m = open_folder("INBOX", false, &s);
	last = multiply(m, 2048);
	n = mailbox_count(m);
	for (uint32_t i = 0; i < n; i++)
		seq[i] = i + 1;
	if (mailbox_expunge(m, seq, n, false) != ERR_OK)
		printf("# not expunged\n");
	close_folder(&m, &s);
	run(way);
	later = deliver("later");
	ok(later > last, "%s after many: %u after %u", way, later, last);
}

static void test_without_times(void)
{
	begin_at_once();
	usleep(1300000);
	run("cp -r ../backup/. .");
	ok(deliver("later") > 3, "cp -r after a second: the next UID is new");
}

/* The session never saw the message that the restore took away. */
static void test_unseen(const char *way)
{
	const struct mailbox_changes *c;
	struct store *s, *s2;
	struct mailbox *m, *m2;
	uint32_t uid;

	begin_at_once();
	m = open_folder("INBOX", false, &s);
	run("rm -rf ../backup && cp -a . ../backup");
	uid = deliver("new2");
	run(way);
	write_file(path("new/1.foreign"), "Subject: foreign\n\nx\n", 20);
	if (mailbox_refresh(m, true, &c) != ERR_OK)
		printf("# the session ends\n");
	m2 = open_folder("INBOX", false, &s2);
	ok(uid_of(m2, "foreign") > uid,
	   "%s under a session that saw nothing: UID %u, not %u", way,
	   uid_of(m2, "foreign"), uid);
	close_folder(&m2, &s2);
	close_folder(&m, &s);
}

/* What is no restore costs no numbers. */
static void test_false_alarms(void)
{
	fresh();
	deliver("old1");
	slow_note = 2; /* a delivery writes two */
	deliver("old2");
	ok(!slow_note && deliver("old3") == 3, "a slow disk is no restore");
	apart = true;
	deliver("old4");
	ok(deliver("old5") == deliver("old6") - 1,
	   "nor is a file system with two times, from then on");
	apart = false;
}

/* Two files with one UID are two messages: a copy that a user made is not what
 * is expunged just afterwards. */
static void test_twin(void)
{
	char name[600], command[1400];
	struct store *s;
	struct mailbox *m;
	uint32_t seq = 2;

	fresh();
	deliver("first");
	deliver("second");
	m = open_folder("INBOX", false, &s);
	if (!find_name("cur", "U=2", name) && !find_name("new", "U=2", name))
		printf("# no name\n");
	snprintf(command, sizeof(command), "cp %s cur/1%s", name,
		 strchr(name, '/') + 1);
	run(command);
	if (mailbox_expunge(m, &seq, 1, false) != ERR_OK)
		printf("# not expunged\n");
	close_folder(&m, &s);
	m = open_folder("INBOX", false, &s);
	ok(uid_of(m, "second") > 2,
	   "a file with the UID of one that was expunged is another message");
	close_folder(&m, &s);
}

static void move_backup_back(void)
{
	usleep(50000); /* longer than a tick of the file system's clock */
	run("rm -rf ../new.gone ../cur.gone && mv new ../new.gone && "
	    "mv cur ../cur.gone && mv ../backup/new ../backup/cur .");
}

/* Three messages; a backup of them. */
static void begin_to_move(void)
{
	struct store *s;
	struct mailbox *m;

	fresh();
	deliver("old1");
	deliver("old2");
	deliver("old3");
	m = open_folder("INBOX", false, &s);
	close_folder(&m, &s);
	run("rm -rf ../backup && cp -a . ../backup");
}

/* A backup that is moved back has the times that it had. But the expunge was
 * done, and is known to have been: so this is mail. */
static void test_moved_back(bool others)
{
	struct store *s;
	struct mailbox *m;

	begin_to_move();
	expunge("old1");
	if (others) {
		expunge("old3");
		deliver("new1");
	}
	move_backup_back();
	m = open_folder("INBOX", false, &s);
	ok(uid_of(m, "old1") > 3 && uid_of(m, "old2") == 2 &&
		   (!others || uid_of(m, "old3") > 3),
	   "what was moved back is there again%s",
	   others ? ", be it one of many" : "");
	ok(!run("ls tmp | grep -q ."), "and nothing is put aside");
	close_folder(&m, &s);
	m = open_folder("INBOX", false, &s);
	ok(uid_of(m, "old1") > 3, "and stays");
	close_folder(&m, &s);
	expunge("old1");
	m = open_folder("INBOX", false, &s);
	ok(uid_of(m, "old1") == 0 && mailbox_count(m) == 2,
	   "until it is expunged again");
	close_folder(&m, &s);
}

/* The journal gave place to one in which the expunge is past. */
static void test_moved_back_later(void)
{
	struct store *s;
	struct mailbox *m;
	uint32_t seq = 1;
	int i;

	begin_to_move();
	expunge("old1");
	m = open_folder("INBOX", false, &s);
	for (i = 0; i < 3000; i++)
		mailbox_store(m, &seq, 1, i % 2 ? MAILBOX_ADD : MAILBOX_REMOVE,
			      MAILBOX_FLAGGED, 0, UINT64_MAX, NULL);
	close_folder(&m, &s);
	ok(file_size(path(DISK_JOURNAL)) < 100000, "the journal is a new one");
	move_backup_back();
	m = open_folder("INBOX", false, &s);
	ok(uid_of(m, "old1") > 3, "what was moved back then is there again");
	close_folder(&m, &s);
}

/* The clock was ahead when it was expunged: what is put back seems older. */
static void test_clock_was_ahead(void)
{
	struct store *s;
	struct mailbox *m;

	begin_to_move();
	ahead = 100000;
	expunge("old1");
	ahead = 0;
	run("cp ../backup/*/*,U=1* new/");
	m = open_folder("INBOX", false, &s);
	ok(uid_of(m, "old1") > 3,
	   "what is put back is there, if the clock was ahead before");
	close_folder(&m, &s);
}

/* The expunge was ended before its removal, and then a backup was moved back
 * before anybody looked: that cannot be told from what was left. */
static void test_moved_over_unfinished(void)
{
	struct store *s;
	struct mailbox *m;
	int status;
	pid_t pid;

	begin_to_move();
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dies_unlinking = true;
		expunge("old1");
		_exit(1);
	}
	ok(waitpid(pid, &status, 0) == pid && status == 0,
	   "an expunge ends before its removal");
	move_backup_back();
	m = open_folder("INBOX", false, &s);
	ok(mailbox_count(m) == 2 && run("grep -qs '^Subject: old1' tmp/*"),
	   "one that may be left of it is kept in tmp");
	run("mv tmp/* cur/");
	close_folder(&m, &s);
	m = open_folder("INBOX", false, &s);
	ok(uid_of(m, "old1") > 3, "and is a message when it is moved back now");
	close_folder(&m, &s);
}

/* The file system's clock is a file server's, an hour behind ours: that is
 * learnt, and no restore. */
static void test_other_clock(void)
{
	uint32_t uid;

	fresh();
	ahead = 3600;
	deliver("first");
	deliver("second");
	uid = deliver("third");
	ok(uid > 0 && deliver("fourth") == uid + 1 &&
		   deliver("fifth") == uid + 2,
	   "with another clock numbers go on by one");
	ahead = 0;
}

int main(void)
{
	leftover_busy_us = 0; /* nobody waits for processes that ended */
	size_t i;

	for (i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		if (i < 2) { /* these leave what came later */
			test_opened(ways[i]);
			test_delivered(ways[i]);
			test_beside(ways[i]);
			test_modseq(ways[i]);
		}
		test_twice(ways[i]);
		test_at_once(ways[i]);
		test_unseen(ways[i]);
	}
	test_many(ways[0]);
	test_without_times();
	test_false_alarms();
	test_twin();
	test_moved_back(false);
	test_moved_back(true);
	test_moved_back_later();
	test_clock_was_ahead();
	test_other_clock();
	test_moved_over_unfinished();
	clean();
	return done();
}
