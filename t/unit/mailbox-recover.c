/*
 * lib/mailbox after crashes and in foreign hands: torn and damaged journals,
 * lost files, changes by other programs, several writers, a full disk.
 */
#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "mailbox/disk.h"
#include "t/unit/mailbox-lib.h"

static char *slurp(const char *p, size_t *n)
{
	long size = file_size(p);
	char *data = mem_alloc((size_t)size + 1);
	int fd = open(p, O_RDONLY);

	*n = (size_t)read(fd, data, (size_t)size);
	close(fd);
	return data;
}

static uint32_t validity_of(const char *folder, uint32_t *count,
			    uint32_t *uidnext)
{
	struct store *s;
	struct mailbox *m = open_folder(folder, true, &s);
	uint32_t v = m ? mailbox_uidvalidity(m) : 0;

	*count = m ? mailbox_count(m) : 0;
	*uidnext = m ? mailbox_uidnext(m) : 0;
	close_folder(&m, &s);
	return v;
}

static void test_torn(void)
{
	uint32_t v, count, next, good = 0, tries = 0;
	size_t whole, cut, before, i;
	char *data;

	fresh();
	deliver_n("INBOX", 2);
	before = (size_t)file_size(path(DISK_JOURNAL));
	deliver_n("INBOX", 1);
	data = slurp(path(DISK_JOURNAL), &whole);
	v = validity_of("INBOX", &count, &next);
	/* The file is there; its record is torn at every byte. */
	for (cut = before + 1; cut < whole; cut += 3) {
		struct store *s;
		struct mailbox *m;
		uint32_t now, n, u;

		unlink(path(DISK_SNAPSHOT));
		write_file(path(DISK_JOURNAL), data, cut);
		now = validity_of("INBOX", &n, &u);
		m = open_folder("INBOX", true, &s);
		good += now == v && n == 3 && u >= 4 &&
			text_is(m, 1,
				"Return-Path: <a@b>\r\nFrom: <a@b>\r\n"
				"Subject: number 1\r\n\r\nbody 1\r\n");
		tries++;
		close_folder(&m, &s);
	}
	ok(good == tries, "a tail torn at any byte is cut (%u of %u)", good,
	   tries);
	/* A tail of zeros, as file systems leave them. */
	write_file(path(DISK_JOURNAL), data, whole);
	for (i = 0; i < 3; i++) {
		int fd = open(path(DISK_JOURNAL), O_RDWR);

		if (ftruncate(fd, (off_t)whole + 100 * (off_t)(i + 1)) < 0)
			printf("# ftruncate\n");
		close(fd);
		deliver_n("INBOX", 1);
	}
	ok(validity_of("INBOX", &count, &next) == v && count == 6,
	   "delivery goes on behind a tail of zeros");
	free(data);
}

static void test_damage(void)
{
	uint32_t v, now, count, next, renumbered = 0, kept = 0, all = 0;
	size_t whole, at_byte;
	char *data;

	fresh();
	deliver_n("INBOX", 6);
	v = validity_of("INBOX", &count, &next);
	unlink(path(DISK_SNAPSHOT));
	data = slurp(path(DISK_JOURNAL), &whole);
	for (at_byte = 0; at_byte + 400 < whole; at_byte += 37) {
		data[at_byte] ^= 0x10;
		write_file(path(DISK_JOURNAL), data, whole);
		data[at_byte] ^= 0x10;
		now = validity_of("INBOX", &count, &next);
		all += count == 6;
		renumbered += now != v && now > 0;
		kept++;
	}
	ok(all == kept,
	   "after damage at any byte all messages are there "
	   "(%u of %u)",
	   all, kept);
	ok(renumbered == kept, "under another UIDVALIDITY (%u of %u)",
	   renumbered, kept);
	free(data);
	{
		DIR *d = opendir(at.maildir);
		struct dirent *e;
		int aside = 0;

		while ((e = readdir(d)))
			aside += strncmp(e->d_name, DISK_JOURNAL ".damaged",
					 strlen(DISK_JOURNAL ".damaged")) == 0;
		closedir(d);
		ok(aside > 0, "the damaged journal is kept aside");
	}
	write_file(path(DISK_JOURNAL), "nonsense", 8);
	deliver_n("INBOX", 1);
	validity_of("INBOX", &count, &next);
	ok(count == 7, "delivery into a folder with a damaged journal");
}

static void test_loss(void)
{
	struct store *s;
	struct mailbox *m;
	const struct mailbox_changes *c;
	uint32_t v, now, count, next, seq[] = { 2, 5 };

	fresh();
	deliver_n("INBOX", 8);
	m = open_folder("INBOX", false, &s);
	mailbox_store(m, seq, 1, MAILBOX_ADD, MAILBOX_SEEN, 0, UINT64_MAX,
		      NULL);
	mailbox_expunge(m, seq + 1, 1, false);
	mailbox_refresh(m, true, &c);
	v = mailbox_uidvalidity(m);
	close_folder(&m, &s);
	unlink(path(DISK_JOURNAL));
	unlink(path(DISK_SNAPSHOT));
	unlink(path(DISK_CACHE));
	now = validity_of("INBOX", &count, &next);
	ok(now == v && count == 7 && next > 9,
	   "a lost journal: same UIDVALIDITY, higher UIDNEXT");
	m = open_folder("INBOX", true, &s);
	ok(mailbox_uid(m, 4) == 4 && mailbox_uid(m, 5) == 6 &&
		   mailbox_uid(m, 7) == 8,
	   "UIDs come back from the names");
	ok(mailbox_get(m, 2).flags == MAILBOX_SEEN, "and flags");
	close_folder(&m, &s);
	deliver_n("INBOX", 1);
	m = open_folder("INBOX", true, &s);
	ok(mailbox_uid(m, 8) >= next, "a new message gets a new UID");
	close_folder(&m, &s);
	unlink(path(DISK_JOURNAL));
	unlink(path(DISK_LOCK));
	now = validity_of("INBOX", &count, &next);
	ok(now > v && count == 8, "with everything lost: new UIDVALIDITY");
	unlink(path(DISK_JOURNAL));
	unlink(path(DISK_LOCK));
	unlink(path(DISK_COUNTER));
	ok(validity_of("INBOX", &count, &next) >= now - 2 && count == 8,
	   "the counter is lost, too");
}

/* A name in new or cur: the first that begins with PREFIX. */
static bool find_name(const char *dir, const char *having, char *out)
{
	DIR *d = opendir(path(dir));
	struct dirent *e;
	bool found = false;

	while (!found && (e = readdir(d)))
		if (e->d_name[0] != '.' && strstr(e->d_name, having)) {
			sprintf(out, "%s/%s", dir, e->d_name);
			found = true;
		}
	closedir(d);
	return found;
}

static void test_foreign(void)
{
	struct store *s;
	struct mailbox *m;
	const struct mailbox_changes *c;
	char name[600], to[600];

	fresh();
	deliver_n("INBOX", 3);
	m = open_folder("INBOX", false, &s);
	usleep(50000); /* past the clock tick in which we changed it */
	mailbox_refresh(m, true, &c);
	write_file(path("new/1.2.host"), "Subject: f\n\nx\n", 14);
	ok(mailbox_refresh(m, true, &c) == ERR_OK && c->new_messages &&
		   mailbox_count(m) == 4 && mailbox_uid(m, 4) == 4,
	   "a file that another program put into new");
	ok(text_is(m, 4, "Subject: f\r\n\r\nx\r\n"), "is read");
	mailbox_settle(m);
	ok(find_name("cur", "1.2.host", name), "and moves to cur");
	usleep(50000);
	sprintf(to, "cur/1.2.host:2,RS");
	if (rename(path(name), path(to)) < 0)
		printf("# rename\n");
	ok(mailbox_refresh(m, true, &c) == ERR_OK && c->nflagged == 1 &&
		   c->flagged[0] == 4 &&
		   mailbox_get(m, 4).flags == (MAILBOX_SEEN | MAILBOX_ANSWERED),
	   "flags that another program set");
	usleep(50000);
	unlink(path(to));
	ok(mailbox_refresh(m, true, &c) == ERR_OK && c->nexpunged == 1 &&
		   c->expunged[0] == 4,
	   "a file that another program removed");
	{
		uint32_t seq = 1;

		mailbox_store(m, &seq, 1, MAILBOX_ADD, MAILBOX_FLAGGED, 0,
			      UINT64_MAX, NULL);
		usleep(50000);
		find_name("cur", ",U=2", name);
		rename(path(name), path("cur/moved:2,"));
		ok(mailbox_refresh(m, true, &c) == ERR_OK &&
			   mailbox_get(m, 1).flags == MAILBOX_FLAGGED,
		   "a flag not yet in the name is not taken for removed");
		ok(c->nexpunged == 1 && c->expunged[0] == 2 &&
			   c->new_messages && mailbox_uid(m, 3) == 5,
		   "a file under another name is another message");
	}
	write_file(path("new/9.bad,S=3:2,FS"), "A: b\n\nlonger\n", 13);
	write_file(path("cur/10.noinfo"), "A: b\n\n1\n", 8);
	write_file(path("cur/11.odd:2,SDZa"), "A: b\n\n1\n", 8);
	mkdir(path("new/directory"), 0700);
	if (symlink("/etc/passwd", path("new/12.link")) < 0)
		printf("# symlink\n");
	usleep(50000);
	ok(mailbox_refresh(m, true, &c) == ERR_OK && mailbox_count(m) == 6,
	   "odd names are taken, links and directories are not");
	ok(text_is(m, 4, "A: b\r\n\r\nlonger\r\n") &&
		   mailbox_get(m, 4).flags ==
			   (MAILBOX_FLAGGED | MAILBOX_SEEN) &&
		   text_is(m, 5, "A: b\r\n\r\n1\r\n") &&
		   text_is(m, 6, "A: b\r\n\r\n1\r\n"),
	   "and read");
	close_folder(&m, &s);
}

/* A delivery ended between its record and its link, and a session looked
 * before it was done again. */
static void test_unlinked_delivery(void)
{
	struct store *s;
	struct mailbox *m;
	const struct mailbox_changes *c;
	struct delivered one, two;
	char name[600];

	fresh();
	deliver_to("INBOX", "A: b\r\n\r\nx\r\n", "Q8", &one);
	find_name("new", ",U=1", name);
	if (unlink(path(name)) < 0)
		printf("# unlink\n");
	m = open_folder("INBOX", true, &s);
	if (mailbox_refresh(m, true, &c) != ERR_OK)
		printf("# refresh\n");
	close_folder(&m, &s);
	ok(deliver_to("INBOX", "A: b\r\n\r\nx\r\n", "Q8", &two) == ERR_OK &&
		   !two.duplicate && two.uid > one.uid,
	   "a delivery whose file was never seen is done again");
}

static void test_torn_file(void)
{
	struct store *s;
	struct mailbox *m;
	const struct mailbox_changes *c;
	struct delivered one, two;
	struct buf b;
	char name[600];

	fresh();
	deliver_to("INBOX", "A: b\r\n\r\nx\r\n", "Q7", &one);
	find_name("new", ",U=1", name);
	if (truncate(path(name), 3) < 0)
		printf("# truncate\n");
	ok(deliver_to("INBOX", "A: b\r\n\r\nx\r\n", "Q7", &two) == ERR_OK &&
		   !two.duplicate,
	   "a delivery whose file is torn was none");
	m = open_folder("INBOX", false, &s);
	buf_init(&b, 1000);
	ok(mailbox_text(m, 1, &b) == ERR_NOT_FOUND, "it is not shown");
	ok(mailbox_refresh(m, true, &c) == ERR_OK && c->nexpunged == 1 &&
		   mailbox_count(m) == 1,
	   "and goes away");
	buf_free(&b);
	close_folder(&m, &s);
}

static void writer(int which)
{
	int i;

	for (i = 0; i < 40; i++) {
		struct store *s;
		struct mailbox *m;
		const struct mailbox_changes *c;
		uint32_t seq;

		if (which < 3) {
			deliver_n("INBOX", 1);
			continue;
		}
		m = open_folder("INBOX", false, &s);
		seq = mailbox_count(m);
		if (seq > 0)
			mailbox_store(m, &seq, 1, MAILBOX_ADD, MAILBOX_SEEN, 0,
				      UINT64_MAX, NULL);
		mailbox_settle(m);
		if (mailbox_refresh(m, true, &c) != ERR_OK)
			_exit(1);
		close_folder(&m, &s);
	}
	_exit(0);
}

static void test_writers(void)
{
	struct store *s;
	struct mailbox *m;
	int i, status, bad = 0, read_all = 0;
	uint32_t k;

	fresh();
	deliver_n("INBOX", 1);
	fflush(stdout);
	for (i = 0; i < 5; i++)
		if (fork() == 0)
			writer(i);
	while (wait(&status) > 0)
		bad += status != 0;
	ok(bad == 0, "three deliverers and two sessions at once");
	m = open_folder("INBOX", true, &s);
	ok(mailbox_count(m) == 121 && mailbox_uidnext(m) == 122,
	   "all is there once: %u", mailbox_count(m));
	for (k = 1; k <= mailbox_count(m); k++) {
		struct buf b;

		buf_init(&b, 1000);
		read_all += mailbox_text(m, k, &b) == ERR_OK && b.len > 40;
		buf_free(&b);
	}
	ok(read_all == 121, "and readable");
	close_folder(&m, &s);
}

static void test_killed(void)
{
	uint32_t count, next;
	int i, status;

	fresh();
	deliver_n("INBOX", 1);
	fflush(stdout);
	for (i = 0; i < 30; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			deliver_n("INBOX", 1000);
			_exit(0);
		}
		usleep((useconds_t)(2000 + 700 * i));
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	deliver_n("INBOX", 1);
	ok(validity_of("INBOX", &count, &next) > 0 && count > 1,
	   "deliverers killed at any moment leave a folder that works");
	{
		struct store *s;
		struct mailbox *m = open_folder("INBOX", true, &s);
		const struct mailbox_changes *c;
		uint32_t k, bad = 0;

		for (k = 1; k <= mailbox_count(m); k++) {
			struct buf b;

			buf_init(&b, 1000);
			bad += mailbox_text(m, k, &b) != ERR_OK &&
			       !mailbox_get(m, k).gone;
			buf_free(&b);
		}
		mailbox_refresh(m, true, &c);
		ok(bad == 0 && c->nexpunged <= 30,
		   "with nothing half delivered");
		close_folder(&m, &s);
	}
}

static void test_full(void)
{
	struct rlimit old, small;
	struct delivered out;
	char *text = mem_alloc(200001);
	uint32_t count, next, failed = 0;
	rlim_t limit;

	fresh();
	memset(text, 'x', 200000);
	deliver_n("INBOX", 3);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	for (limit = 100; limit < 3000; limit += 100) {
		small = old;
		small.rlim_cur = limit;
		setrlimit(RLIMIT_FSIZE, &small);
		failed += deliver_to("INBOX", "A: b\r\n\r\nx\r\n", "", &out) !=
			  ERR_OK;
		setrlimit(RLIMIT_FSIZE, &old);
	}
	validity_of("INBOX", &count, &next);
	ok(failed > 0 && count == 3 + 29 - failed,
	   "a journal that cannot grow: %u deliveries failed and left nothing",
	   failed);
	small = old;
	small.rlim_cur = 100000;
	setrlimit(RLIMIT_FSIZE, &small);
	ok(deliver_to("INBOX", "A: b\r\n\r\nx\r\n", "", &out) == ERR_OK,
	   "a small message fits");
	setrlimit(RLIMIT_FSIZE, &old);
	free(text);
}

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

static void test_cache(void)
{
	struct store *s;
	struct mailbox *m;
	struct mailbox_facts f;
	uint32_t i, good = 0;
	size_t n;
	char *data;

	fresh();
	deliver_n("INBOX", 5);
	data = slurp(path(DISK_CACHE), &n);
	for (i = 0; i < n; i += 5) {
		data[i] ^= 4;
		write_file(path(DISK_CACHE), data, n);
		data[i] ^= 4;
		m = open_folder("INBOX", true, &s);
		good += mailbox_facts(m, 3, &f) == ERR_OK &&
			memmem(f.envelope, f.envelope_len, "number 3", 8) &&
			memmem(f.header, f.header_len, "Subject: number 3\r\n",
			       19) &&
			!memmem(f.envelope, f.envelope_len, "body", 4);
		close_folder(&m, &s);
	}
	ok(good == (n + 4) / 5, "a damaged cache changes nothing");
	unlink(path(DISK_CACHE));
	m = open_folder("INBOX", false, &s);
	ok(mailbox_facts(m, 5, &f) == ERR_OK, "without cache");
	close_folder(&m, &s);
	ok(file_size(path(DISK_CACHE)) > 0, "what was found out is kept");
	free(data);
}

static void test_pack(void)
{
	struct store *s, *s2;
	struct mailbox *m, *other;
	struct mailbox_facts f;
	size_t n = 300000, i;
	char *text = mem_alloc(n + 1);
	struct delivered out;
	uint32_t seq;

	fresh();
	/* One header field that is kept, so that the cache grows fast. */
	strcpy(text, "Subject: x");
	for (i = 10; i < n - 4; i++)
		text[i] = i % 70 == 0	? '\r'
			  : i % 70 == 1 ? '\n'
			  : i % 70 == 2 ? ' '
					: 'x';
	strcpy(text + n - 4, "\r\n\r\n");
	for (i = 0; i < 40; i++)
		deliver_to("INBOX", text, "", &out);
	deliver_n("INBOX", 2);
	m = open_folder("INBOX", false, &s);
	other = open_folder("INBOX", true, &s2);
	ok(mailbox_facts(other, 41, &f) == ERR_OK, "facts before");
	for (seq = 1; seq <= 38; seq++)
		mailbox_expunge(m, &seq, 1, false);
	ok(file_size(path(DISK_CACHE)) > 8 << 20, "a large cache");
	mailbox_settle(m);
	ok(file_size(path(DISK_CACHE)) < 3 << 20, "is packed");
	ok(mailbox_facts(m, 42, &f) == ERR_OK &&
		   memmem(f.header, f.header_len, "number 2", 8) &&
		   mailbox_facts(other, 41, &f) == ERR_OK &&
		   memmem(f.header, f.header_len, "number 1", 8),
	   "and what it says is found, also by others");
	close_folder(&other, &s2);
	close_folder(&m, &s);
	free(text);
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
	dev_t dev;
	ino_t ino;

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
		if (append_commit(a, &validity, &uid, &dev, &ino) != ERR_OK)
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
	small = cpu_us();
	m = open_folder("INBOX", true, &s);
	small = cpu_us() - small;
	ok(small < 20000, "opening it from the snapshot: %lld us",
	   (long long)small);
	close_folder(&m, &s);
}

int main(void)
{
	test_torn();
	test_damage();
	test_loss();
	test_foreign();
	test_torn_file();
	test_unlinked_delivery();
	test_writers();
	test_killed();
	test_full();
	test_snapshot();
	test_cache();
	test_pack();
	test_rotation();
	test_cost();
	clean();
	return done();
}
