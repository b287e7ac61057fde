/*
 * Files that other programs touched: edited, restored, being copied, removed.
 * They are mail, whatever they look like.
 */
#include <sys/time.h>
#include <sys/wait.h>

#include "index/disk.h"
#include "t/unit/mailbox-lib.h"

static const char *const texts[] = {
	"Return-Path: <a@b>\nSubject: short\n\nx\n",
	"Return-Path: <a@b>\nFrom: <a@b>\nSubject: number 2\n\nbody 2, and a "
	"line that was not there\n",
};
static const char *const wires[] = {
	"Return-Path: <a@b>\r\nSubject: short\r\n\r\nx\r\n",
	"Return-Path: <a@b>\r\nFrom: <a@b>\r\nSubject: number 2\r\n\r\n"
	"body 2, and a line that was not there\r\n",
};

/* P was last written SECONDS ago. */
static void make_old(const char *p, int seconds)
{
	struct timeval t[2];

	gettimeofday(&t[0], NULL);
	t[0].tv_sec -= seconds;
	t[1] = t[0];
	utimes(p, t);
}

static int read_one(struct mailbox *m, uint32_t seq)
{
	struct buf b;
	int code;

	buf_init(&b, 100000);
	code = mailbox_text(m, seq, &b);
	buf_free(&b);
	return code;
}

/* Half of TEXT at once, the rest later. */
static void write_slowly(const char *p, const char *text)
{
	size_t half = strlen(text) / 2;

	write_file(p, text, half);
	if (fork() == 0) {
		usleep(500000);
		write_file(p, text, strlen(text));
		_exit(0);
	}
}

/* The file of UID 2 gets another content, in place. */
static void test_edited(int which, bool read_only)
{
	const struct mailbox_changes *c;
	struct store *s;
	struct mailbox *m;
	char name[600];

	fresh();
	deliver_n("INBOX", 3);
	find_name("new", ",U=2", name);
	m = open_folder("INBOX", read_only, &s);
	write_slowly(path(name), texts[which]);
	ok(read_one(m, 2) == ERR_NOT_FOUND && file_size(path(name)) > 0,
	   "what the client knows under its UID is not there any more");
	ok(mailbox_refresh(m, true, &c) == ERR_OK && c->nexpunged == 1 &&
		   c->expunged_uid[0] == 2 && c->new_messages &&
		   mailbox_count(m) == 3 && mailbox_uid(m, 3) == 4,
	   "the file is a new message");
	ok(text_is(m, 3, wires[which]) && read_one(m, 1) == ERR_OK,
	   "as it is now (%s, %s)", which ? "longer" : "shorter",
	   read_only ? "EXAMINE" : "SELECT");
	close_folder(&m, &s);
	m = open_folder("INBOX", true, &s);
	ok(mailbox_count(m) == 3 && mailbox_uid(m, 3) == 4 &&
		   text_is(m, 3, wires[which]),
	   "for every session");
	close_folder(&m, &s);
}

/* The same size, other line ends. */
static void test_same_size(void)
{
	const struct mailbox_changes *c;
	struct store *s;
	struct mailbox *m;
	char name[600], *data;
	size_t n;

	fresh();
	deliver_n("INBOX", 1);
	find_name("new", ",U=1", name);
	m = open_folder("INBOX", true, &s);
	data = slurp(path(name), &n);
	data[n - 3] = '\n';
	write_file(path(name), data, n);
	make_old(path(name), 60);
	ok(read_one(m, 1) == ERR_NOT_FOUND &&
		   mailbox_refresh(m, true, &c) == ERR_OK &&
		   mailbox_uid(m, 1) == 2 && read_one(m, 1) == ERR_OK,
	   "a file of the same size with other line ends is read");
	free(data);
	close_folder(&m, &s);
}

static int begin_reading(struct mailbox *m, uint32_t seq)
{
	struct mailbox_reader *r;
	uint32_t size;
	int code = mailbox_read_open(m, seq, &r, &size);

	mailbox_read_close(&r);
	return code;
}

/* What cannot be given as announced is found out before it is: the rest of a
 * literal that was begun is not to be had. */
static void test_announced(size_t nbody)
{
	const struct mailbox_changes *c;
	char name[600], *data = mem_alloc(nbody + 200);
	struct delivered out;
	struct mailbox *m;
	struct store *s;
	size_t n = (size_t)sprintf(data, "Subject: long\r\n\r\n");

	memset(data + n, 'x', nbody);
	strcpy(data + n + nbody, "\r\n.\r\n");
	fresh();
	deliver_to("INBOX", data, "", &out);
	free(data);
	find_name("new", ",U=1", name);
	m = open_folder("INBOX", true, &s);
	data = slurp(path(name), &n);
	data[n - 3] = '\r';
	write_file(path(name), data, n);
	make_old(path(name), -5);
	ok(begin_reading(m, 1) == ERR_NOT_FOUND &&
		   mailbox_refresh(m, true, &c) == ERR_OK &&
		   mailbox_uid(m, 1) == 2 && begin_reading(m, 1) == ERR_OK,
	   "%zu bytes with another line end are not begun", n);
	free(data);
	close_folder(&m, &s);
}

/* One that is written to all the time, but does not grow, is read. */
static void test_busy(void)
{
	const struct mailbox_changes *c;
	struct store *s;
	struct mailbox *m;
	char name[600];
	int i;

	fresh();
	deliver_n("INBOX", 1);
	find_name("new", ",U=1", name);
	m = open_folder("INBOX", true, &s);
	write_file(path(name), texts[0], strlen(texts[0]));
	if (fork() == 0) {
		int fd = open(path(name), O_WRONLY);

		for (i = 0; i < 60; i++, usleep(100000))
			pwrite(fd, "R", 1, 0);
		_exit(0);
	}
	ok(read_one(m, 1) == ERR_NOT_FOUND &&
		   mailbox_refresh(m, true, &c) == ERR_OK &&
		   text_is(m, 1, wires[0]),
	   "a file that is written to all the time is read");
	close_folder(&m, &s);
}

/* A file with our name comes back, at first with its first half only. */
static void test_restored(void)
{
	static const char half[] = "Return-Path: <a@b>\nFrom: <a@";
	const struct mailbox_changes *c;
	struct store *s;
	struct mailbox *m;
	uint32_t seq = 1;
	char name[600], *whole;
	size_t n;

	fresh();
	deliver_n("INBOX", 2);
	find_name("new", ",U=1", name);
	whole = slurp(path(name), &n);
	m = open_folder("INBOX", false, &s);
	mailbox_expunge(m, &seq, 1, false);
	mailbox_refresh(m, true, &c);
	usleep(50000);
	write_file(path(name), half, strlen(half));
	ok(mailbox_refresh(m, true, &c) == ERR_OK && mailbox_count(m) == 1 &&
		   file_size(path(name)) == (long)strlen(half),
	   "half of a file is waited for");
	write_file(path(name), whole, n);
	ok(mailbox_refresh(m, true, &c) == ERR_OK && mailbox_count(m) == 2 &&
		   mailbox_uid(m, 2) == 3,
	   "a whole one is a message again");
	find_name("new", ",U=1", name);
	unlink(path(name));
	mailbox_refresh(m, true, &c);
	usleep(50000);
	write_file(path(name), half, strlen(half));
	make_old(path(name), 60);
	ok(mailbox_refresh(m, true, &c) == ERR_OK && mailbox_count(m) == 2 &&
		   text_is(m, 2, "Return-Path: <a@b>\r\nFrom: <a@"),
	   "one that stays short is taken as it is");
	free(whole);
	close_folder(&m, &s);
}

enum loss { REMOVED, CUT, ZEROS, MORE_ZEROS, LAST_ZEROS, LOSSES };
static const char *const losses[] = { "removed", "cut", "zeros", "more zeros",
				      "zeros at its end" };

static void lose_journal(enum loss loss)
{
	long size = file_size(path(DISK_JOURNAL));
	int fd = open(path(DISK_JOURNAL), O_WRONLY);
	char *zeros = calloc(1, (size_t)size + 1000);
	long from = loss == LAST_ZEROS ? size - 100 : 0;
	long n = loss == MORE_ZEROS ? size + 1000 : size - from;

	if (loss == REMOVED)
		unlink(path(DISK_JOURNAL));
	else if (loss == CUT)
		(void)!ftruncate(fd, 0);
	else if (pwrite(fd, zeros, (size_t)n, from) != n)
		printf("# pwrite\n");
	free(zeros);
	close(fd);
}

/* Written to while a session has the folder open, which then removes the
 * message that it knew. */
static void test_removed(const char *how)
{
	const struct mailbox_changes *c;
	uint32_t seq[] = { 1, 2, 3 };
	struct store *s;
	struct mailbox *m;
	char name[600], *data;
	bool longer = how[0] == 'l', same = how[0] == 't';
	size_t n;

	fresh();
	deliver_n("INBOX", 3);
	m = open_folder("INBOX", false, &s);
	mailbox_store(m, seq, 3, MAILBOX_ADD, MAILBOX_DELETED, 0, UINT64_MAX,
		      NULL);
	mailbox_settle(m);
	find_name("cur", ",U=2", name);
	data = slurp(path(name), &n);
	sleep(2); /* times of files are looked at in seconds */
	data[n - 2] = same ? data[n - 2] : '!';
	write_file(path(name), data, longer ? n - 1 : n);
	free(data);
	ok(mailbox_expunge(m, seq, 3, true) == ERR_OK &&
		   mailbox_refresh(m, true, &c) == ERR_OK && c->nexpunged == 3,
	   "%s: all is expunged as it was", how);
	ok(mailbox_count(m) == !same, "%s: %u are there", how,
	   mailbox_count(m));
	ok(same || (mailbox_uid(m, 1) == 4 && read_one(m, 1) == ERR_OK &&
		    !(mailbox_get(m, 1).flags & MAILBOX_DELETED)),
	   "under a new UID, and not to be deleted");
	close_folder(&m, &s);
	m = open_folder("INBOX", false, &s);
	ok(mailbox_count(m) == !same &&
		   mailbox_expunge(m, seq, 1, false) == ERR_OK &&
		   mailbox_refresh(m, true, &c) == ERR_OK &&
		   mailbox_count(m) == 0,
	   "and can be removed");
	close_folder(&m, &s);
}

/* The journal goes away under open sessions, or what is in it. */
static void test_no_journal(enum loss loss)
{
	const struct mailbox_changes *c;
	struct store *s, *s2;
	struct mailbox *m, *other;
	uint32_t seq[] = { 1, 2 }, v;
	uint64_t bit;

	fresh();
	deliver_n("INBOX", 5);
	m = open_folder("INBOX", false, &s);
	other = open_folder("INBOX", false, &s2);
	v = mailbox_uidvalidity(m);
	mailbox_keyword_bit(m, "$Kept", true, &bit);
	mailbox_store(m, seq, 1, MAILBOX_ADD, MAILBOX_SEEN, bit, UINT64_MAX,
		      NULL);
	mailbox_expunge(m, seq + 1, 1, false);
	if (loss != REMOVED) /* what nobody read of it is lost */
		mailbox_refresh(other, true, &c);
	lose_journal(loss);
	if (loss == ZEROS) /* whoever changes something first */
		mailbox_store(other, seq, 1, MAILBOX_ADD, MAILBOX_SEEN, 0,
			      UINT64_MAX, NULL);
	ok(mailbox_refresh(other, true, &c) == ERR_OK &&
		   c->nexpunged == (loss == REMOVED) &&
		   mailbox_count(other) == 4 && mailbox_uid(other, 4) == 5,
	   "journal %s: an open session goes on", losses[loss]);
	ok(mailbox_refresh(m, true, &c) == ERR_OK && c->nexpunged == 1 &&
		   !c->new_messages && mailbox_uid(m, 2) == 3,
	   "and all others");
	close_folder(&other, &s2);
	close_folder(&m, &s);
	m = open_folder("INBOX", true, &s);
	ok(mailbox_uidvalidity(m) == v && mailbox_count(m) == 4 &&
		   mailbox_uid(m, 2) == 3 && mailbox_uidnext(m) == 6 &&
		   mailbox_get(m, 1).keywords == bit &&
		   mailbox_get(m, 1).flags == MAILBOX_SEEN,
	   "UIDs, flags and keywords are what they were");
	close_folder(&m, &s);
}

static long journal_number(void)
{
	struct stat st;

	return stat(path(DISK_JOURNAL), &st) < 0 ? 0 : (long)st.st_ino;
}

/* A history longer than the state does not make each close write it anew. */
static void test_history(void)
{
	enum { MANY = 12000, EACH = 400 };
	static uint32_t seq[MANY];
	struct store *s;
	struct mailbox *m;
	struct append *a;
	uint32_t validity, uid, i, n;
	struct folder_id id;
	long before;
	int anew = 0;

	fresh();
	store_open(at.maildir, true, &s);
	validity_of("INBOX", &n, &uid);
	for (i = 0; i < MANY; i += EACH) {
		append_new(s, "INBOX", &a);
		for (n = 0; n < EACH; n++) {
			append_begin(a, 0, NULL, 0, -1);
			append_write(a, "A: b\r\n\r\n", 8);
		}
		append_commit(a, &validity, &uid, &id);
		append_free(&a);
	}
	store_close(&s);
	for (i = n = 0; i < MANY; i += 2)
		seq[n++] = i + 1;
	m = open_folder("INBOX", false, &s);
	mailbox_expunge(m, seq, n, false);
	close_folder(&m, &s);
	for (i = 0; i < 6; i++) {
		before = journal_number();
		m = open_folder("INBOX", false, &s);
		mailbox_keyword_bit(m, "x", true, &(uint64_t){ 0 });
		close_folder(&m, &s);
		anew += journal_number() != before;
	}
	ok(anew <= 1, "a long history is written anew %d times in 6", anew);
	m = open_folder("INBOX", false, &s);
	for (i = n = 0; i < mailbox_count(m); i++)
		seq[n++] = i + 1;
	mailbox_expunge(m, seq, n, false);
	close_folder(&m, &s);
	ok(file_size(path(DISK_JOURNAL)) < 100000,
	   "and what lies side by side in it is one: %ld bytes",
	   file_size(path(DISK_JOURNAL)));
}

int main(void)
{
	int loss;

	test_edited(0, false);
	test_edited(0, true);
	test_edited(1, false);
	test_same_size();
	test_announced(20);
	test_announced(200000);
	test_busy();
	test_restored();
	test_removed("longer or shorter");
	test_removed("edited");
	test_removed("touched");
	for (loss = 0; loss < LOSSES; loss++)
		test_no_journal((enum loss)loss);
	test_history();
	while (wait(NULL) > 0)
		;
	clean();
	return done();
}
