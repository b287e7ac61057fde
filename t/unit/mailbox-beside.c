/*
 * What lib/mailbox keeps beside the messages: the snapshot, which may be lost
 * or damaged at any time, and the journal's rotation; and that with them a
 * large folder costs what a small one does. The cache: mailbox-cache.c.
 */
#include <sys/resource.h>
#include <sys/wait.h>

#include "index/disk.h"
#include "index/lock.h"
#include "mailbox/opened.h"
#include "t/unit/mailbox-lib.h"

static void test_snapshot(void)
{
	struct store *s;
	struct mailbox *m;
	uint32_t i, good = 0, tries = 0;
	size_t n;
	char *data;

	fresh();
	deliver_n("INBOX", 400);
	m = open_folder("INBOX", false, &s);
	for (i = 1; i <= 400; i += 2)
		mailbox_store(m, &i, 1, MAILBOX_ADD, MAILBOX_SEEN, 0,
			      UINT64_MAX, NULL);
	close_folder(&m, &s);
	ok(file_size(path(DISK_SNAPSHOT)) > 400 * 64, "a snapshot is written");
	deliver_n("INBOX", 1);
	data = slurp(path(DISK_SNAPSHOT), &n);
	for (i = 0; i < 40; i++) {
		size_t where = (size_t)i * n / 40;

		data[where] ^= 1;
		write_file(path(DISK_SNAPSHOT), data, n);
		data[where] ^= 1;
		m = open_folder("INBOX", true, &s);
		good += mailbox_count(m) == 401 &&
			mailbox_get(m, 399).flags == MAILBOX_SEEN &&
			mailbox_get(m, 400).flags == 0;
		tries++;
		close_folder(&m, &s);
	}
	for (i = 0; i < 20; i++) {
		write_file(path(DISK_SNAPSHOT), data, (size_t)i * n / 20);
		m = open_folder("INBOX", true, &s);
		good += mailbox_count(m) == 401;
		tries++;
		close_folder(&m, &s);
	}
	ok(good == tries, "a damaged or cut snapshot changes nothing");
	write_file(path(DISK_SNAPSHOT), data, n);
	m = open_folder("INBOX", true, &s);
	ok(mailbox_count(m) == 401 && mailbox_uid(m, 401) == 401,
	   "snapshot and journal behind it");
	close_folder(&m, &s);
	free(data);
}

/* Another program opens the snapshot and writes ZEROS zeros there, or cuts it
 * to nothing. It may have to wait for who reads it, but not for long. */
static bool other_writes(size_t zeros)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		char *data = mem_alloc(zeros);
		int fd;

		alarm(20);
		fd = open(path(DISK_SNAPSHOT),
			  O_WRONLY | (zeros ? 0 : O_TRUNC));
		_exit(fd < 0 || write(fd, data, zeros) != (ssize_t)zeros);
	}
	while (waitpid(pid, &status, 0) < 0)
		;
	return status == 0;
}

/* Entries and names under a session that has it mapped. */
static void test_snapshot_changed(bool cut)
{
	const struct mailbox_changes *c;
	char name[64], text[] = "A: b\n\nx\n";
	uint32_t i, seen = 0, n = 1000, seq = 7;
	struct store *s;
	struct mailbox *m;

	fresh();
	deliver_n("INBOX", 1);
	for (i = 1; i < n; i++) {
		snprintf(name, sizeof(name), "cur/17%08u.other:2,S", i);
		write_file(path(name), text, strlen(text));
	}
	m = open_folder("INBOX", false, &s);
	close_folder(&m, &s);
	m = open_folder("INBOX", false, &s);
	ok(file_size(path(DISK_SNAPSHOT)) > 64000 &&
		   other_writes(cut ? 0 : 100000),
	   "the snapshot is %s under a session", cut ? "cut" : "written to");
	for (i = 2; i <= n; i++)
		seen += mailbox_uid(m, i) == i &&
			text_is(m, i, "A: b\r\n\r\nx\r\n");
	ok(mailbox_count(m) == n && seen == n - 1 &&
		   mailbox_expunge(m, &seq, 1, false) == ERR_OK &&
		   mailbox_refresh(m, true, &c) == ERR_OK &&
		   mailbox_count(m) == n - 1,
	   "which goes on with what it was");
	close_folder(&m, &s);
	m = open_folder("INBOX", true, &s);
	ok(mailbox_count(m) == n - 1 && mailbox_uid(m, 7) == 8,
	   "and so does the next");
	close_folder(&m, &s);
}

static void test_rotation(void)
{
	struct store *s, *s2;
	struct mailbox *m, *other;
	const struct mailbox_changes *c;
	struct delivered one, two;
	uint32_t i, k, seq = 2;
	long before;

	fresh();
	deliver_n("INBOX", 3);
	deliver_to("INBOX", "A: b\r\n\r\nx\r\n", "Q9", &one);
	m = open_folder("INBOX", false, &s);
	other = open_folder("INBOX", false, &s2);
	for (i = 0; i < 3000; i++)
		mailbox_store(m, &seq, 1, i % 2 ? MAILBOX_ADD : MAILBOX_REMOVE,
			      MAILBOX_SEEN, 0, UINT64_MAX, NULL);
	k = 1;
	mailbox_expunge(m, &k, 1, false);
	before = file_size(path(DISK_JOURNAL));
	mailbox_settle(m);
	ok(file_size(path(DISK_JOURNAL)) < before / 10,
	   "a long journal is made short");
	ok(mailbox_refresh(m, true, &c) == ERR_OK && mailbox_count(m) == 3,
	   "the session goes on");
	ok(mailbox_refresh(other, true, &c) == ERR_OK && c->nexpunged == 1 &&
		   c->expunged[0] == 1 && c->nflagged == 1 &&
		   c->flagged[0] == 1 && mailbox_count(other) == 3 &&
		   mailbox_uid(other, 1) == 2,
	   "other sessions follow");
	close_folder(&other, &s2);
	close_folder(&m, &s);
	{
		struct delivery d = {
			.maildir = at.maildir,
			.folder = "INBOX",
			.prologue = "",
			.queue_id = "Q9",
			.recipient = "u@example.org",
			.arrival_us = clock_wall_us() - 60000000,
		};

		d.fd = open("/dev/null", O_RDONLY);
		ok(deliver_message(&d, &two) == ERR_OK && two.duplicate &&
			   two.uid == one.uid,
		   "a second delivery is recognised over a rotation");
		close(d.fd);
	}
	m = open_folder("INBOX", true, &s);
	ok(mailbox_count(m) == 3 && mailbox_uidnext(m) == 5 &&
		   mailbox_get(m, 1).flags == MAILBOX_SEEN,
	   "the state is the same");
	close_folder(&m, &s);
}

/* What happened in the new journal before another session follows to it. */
static void test_behind_rotation(void)
{
	struct store *s, *s2;
	struct mailbox *m, *other;
	const struct mailbox_changes *c;
	struct store_status st;
	uint32_t i, seq = 1, gone[] = { 2, 5 };

	fresh();
	deliver_n("INBOX", 4);
	m = open_folder("INBOX", false, &s);
	other = open_folder("INBOX", false, &s2);
	for (i = 0; i < 3000; i++)
		mailbox_store(m, &seq, 1, i % 2 ? MAILBOX_ADD : MAILBOX_REMOVE,
			      MAILBOX_SEEN, 0, UINT64_MAX, NULL);
	mailbox_settle(m);
	deliver_n("INBOX", 2);
	mailbox_refresh(m, true, &c);
	mailbox_expunge(m, gone, 2, false);
	ok(mailbox_refresh(other, true, &c) == ERR_OK && c->nexpunged == 1 &&
		   mailbox_count(other) == 4 && mailbox_uid(other, 2) == 3 &&
		   mailbox_uid(other, 4) == 6,
	   "what was expunged behind a rotation is gone for who follows");
	mailbox_store(other, &seq, 1, MAILBOX_ADD, MAILBOX_FLAGGED, 0,
		      UINT64_MAX, NULL);
	ok(store_status(s, "INBOX", false, &st) == ERR_OK && st.messages == 4,
	   "and STATUS says the same");
	close_folder(&other, &s2);
	close_folder(&m, &s);
}

#define SUMS 9

static bool is_locked(void)
{
	int fd = open(path(DISK_LOCK), O_RDWR);
	bool is = fd >= 0 && lock_take(fd, 0) == ERR_BUSY;

	close(fd);
	return is;
}

/* The checksums of M's messages; false if one is missing. */
static bool sums_of(struct mailbox *m, uint32_t sum[SUMS])
{
	for (uint32_t i = 0; i < SUMS; i++)
		if (index_content(&m->x, i + 1, &sum[i]) != ERR_OK)
			return false;
	return true;
}

/* A session that finds another journal when it wants to write holds the lock
 * all the same; and the new one has all checksums. */
static void test_lock_behind_rotation(void)
{
	struct store *s, *s2;
	struct mailbox *m, *other;
	uint32_t had[SUMS], has[SUMS];

	fresh();
	deliver_n("INBOX", SUMS);
	m = open_folder("INBOX", false, &s);
	other = open_folder("INBOX", false, &s2);
	ok(sums_of(m, had) && index_lock(&m->x) == ERR_OK &&
		   index_write_anew(&m->x) == ERR_OK,
	   "a journal is replaced");
	index_unlock(&m->x);
	ok(!is_locked() && index_lock(&other->x) == ERR_OK && is_locked(),
	   "who comes behind it has the lock");
	index_unlock(&other->x);
	ok(sums_of(other, has) && memcmp(had, has, sizeof(had)) == 0,
	   "and the checksums of before");
	close_folder(&other, &s2);
	close_folder(&m, &s);
}

static int64_t cpu_us(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (r.ru_utime.tv_sec + r.ru_stime.tv_sec) * INT64_C(1000000) +
	       r.ru_utime.tv_usec + r.ru_stime.tv_usec;
}

static void test_cost(void)
{
	struct store *s;
	struct mailbox *m;
	struct append *a;
	uint32_t validity, uid, i, n = 20000;
	int64_t small, large;
	struct folder_id folder;

	fresh();
	deliver_n("INBOX", 1);
	small = cpu_us();
	deliver_n("INBOX", 100);
	small = cpu_us() - small;
	store_open(at.maildir, false, &s);
	for (i = 0; i < n; i += 400) {
		uint32_t k;

		append_new(s, "INBOX", &a);
		for (k = 0; k < 400; k++) {
			append_begin(a, 0, NULL, 0, -1);
			append_write(a, "A: b\r\n\r\n", 8);
		}
		if (append_commit(a, &validity, &uid, &folder) != ERR_OK)
			printf("# append failed\n");
		append_free(&a);
	}
	store_close(&s);
	large = cpu_us();
	deliver_n("INBOX", 100);
	large = cpu_us() - large;
	ok(large < 3 * small + 20000,
	   "delivery into 20,000 messages costs what it costs into 10 "
	   "(CPU %lld us, %lld us)",
	   (long long)large / 100, (long long)small / 100);
	m = open_folder("INBOX", false, &s);
	ok(mailbox_count(m) == n + 201, "all there");
	close_folder(&m, &s);
	/* twenty thousand renames take so long that others may have come */
	usleep(50000);
	m = open_folder("INBOX", true, &s);
	close_folder(&m, &s);
	small = cpu_us();
	m = open_folder("INBOX", true, &s);
	small = cpu_us() - small;
	ok(small < 20000, "opening it from the snapshot: %lld us",
	   (long long)small);
	close_folder(&m, &s);
}

int main(void)
{
	test_snapshot();
	test_snapshot_changed(true);
	test_snapshot_changed(false);
	test_rotation();
	test_behind_rotation();
	test_lock_behind_rotation();
	test_cost();
	clean();
	return done();
}
