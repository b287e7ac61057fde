/*
 * lib/mailbox after crashes: torn and damaged journals, lost files,
 * deliverers that are killed, a full disk.
 */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "mailbox/private.h"
#include "t/unit/mailbox-lib.h"

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

static uint64_t modseq_of(const char *folder)
{
	struct store *s;
	struct mailbox *m = open_folder(folder, true, &s);
	uint64_t modseq = m ? mailbox_highestmodseq(m) : 0;

	close_folder(&m, &s);
	return modseq;
}

static void test_damage(void)
{
	uint32_t v, now, count, next, renumbered = 0, kept = 0, all = 0;
	size_t whole, at_byte, higher = 0;
	uint64_t modseq;
	char *data;

	fresh();
	deliver_n("INBOX", 6);
	v = validity_of("INBOX", &count, &next);
	modseq = modseq_of("INBOX");
	unlink(path(DISK_SNAPSHOT));
	data = slurp(path(DISK_JOURNAL), &whole);
	for (at_byte = 0; at_byte + 400 < whole; at_byte += 37) {
		data[at_byte] ^= 0x10;
		write_file(path(DISK_JOURNAL), data, whole);
		data[at_byte] ^= 0x10;
		now = validity_of("INBOX", &count, &next);
		all += count == 6;
		renumbered += now != v && now > 0;
		higher += modseq_of("INBOX") >= modseq;
		kept++;
	}
	ok(all == kept,
	   "after damage at any byte all messages are there "
	   "(%u of %u)",
	   all, kept);
	ok(renumbered == kept, "under another UIDVALIDITY (%u of %u)",
	   renumbered, kept);
	ok(higher == kept, "and HIGHESTMODSEQ has not decreased (%zu of %u)",
	   higher, kept);
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

/* What the journal says before the damage stays, as far as it is in no name.
 * The second damage is nearer to the end: the same one, or in the last record. */
static void test_before_damage(const char *what, long first, long second)
{
	struct store *s;
	struct mailbox *m;
	uint32_t v, seq = 1;
	uint64_t bit;
	size_t whole;
	char *data;

	fresh();
	deliver_n("INBOX", 2);
	m = open_folder("INBOX", false, &s);
	v = mailbox_uidvalidity(m);
	mailbox_keyword_bit(m, "work", true, &bit);
	mailbox_store(m, &seq, 1, MAILBOX_ADD, 0, bit, UINT64_MAX, NULL);
	close_folder(&m, &s);
	deliver_n("INBOX", 3);
	unlink(path(DISK_SNAPSHOT));
	data = slurp(path(DISK_JOURNAL), &whole);
	data[first < 0 ? (long)whole + first : first] ^= 0x10;
	if (second != first)
		data[(long)whole + second] ^= 0x10;
	write_file(path(DISK_JOURNAL), data, whole);
	free(data);
	m = open_folder("INBOX", true, &s);
	ok(m && mailbox_uidvalidity(m) != v && mailbox_count(m) == 5 &&
		   mailbox_get(m, 1).keywords == bit &&
		   strcmp(mailbox_keyword(m, 0), "work") == 0,
	   "%s is damaged: a keyword from before is kept", what);
	close_folder(&m, &s);
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

enum { TOLD_MAX = 64 };

/* Message NUMBER into INBOX. */
static void deliver_number(int number)
{
	struct delivered out;
	char body[100];

	sprintf(body, "Subject: %d\r\n\r\nx\r\n", number);
	deliver_to("INBOX", body, "", &out);
}

/* Which number is the message at SEQ? */
static int number_at(struct mailbox *m, uint32_t seq)
{
	struct buf b;
	int number = 0;
	const char *p;

	buf_init(&b, 10000);
	if (mailbox_text(m, seq, &b) == ERR_OK &&
	    (p = strstr(b.data, "Subject: ")))
		number = atoi(p + 9);
	buf_free(&b);
	return number;
}

/* A client looks: what UIDs are to it goes into TOLD; how many are something
 * else now than they were is returned. */
static int client_looks(int told[TOLD_MAX], uint32_t *validity, uint32_t *n)
{
	struct store *s;
	struct mailbox *m = open_folder("INBOX", false, &s);
	int wrong = 0;
	uint32_t i;

	if (mailbox_uidvalidity(m) != *validity)
		memset(told, 0, TOLD_MAX * sizeof(*told));
	*validity = mailbox_uidvalidity(m);
	*n = mailbox_count(m);
	for (i = 1; i <= *n; i++) {
		uint32_t uid = mailbox_uid(m, i);
		int number = number_at(m, i);

		if (uid >= TOLD_MAX)
			continue;
		wrong += told[uid] != 0 && told[uid] != number;
		told[uid] = number;
	}
	close_folder(&m, &s);
	return wrong;
}

/* The journal is one of before, from a backup (CUT is 0), or a part of itself
 * (CUT per cent). Then a delivery comes first, or the client. */
static void test_older_journal(int cut, bool delivery_first)
{
	int told[TOLD_MAX] = { 0 }, i, wrong;
	uint32_t validity = 0, n;
	size_t size;
	char *old;

	fresh();
	for (i = 1; i <= 10; i++)
		deliver_number(i);
	wrong = client_looks(told, &validity, &n);
	old = slurp(path(DISK_JOURNAL), &size);
	for (; i <= 15; i++)
		deliver_number(i);
	wrong += client_looks(told, &validity, &n);
	if (cut == 0) {
		unlink(path(DISK_JOURNAL));
		write_file(path(DISK_JOURNAL), old, size);
	} else if (truncate(path(DISK_JOURNAL),
			    file_size(path(DISK_JOURNAL)) * cut / 100)) {
		printf("# truncate\n");
	}
	free(old);
	if (!delivery_first)
		wrong += client_looks(told, &validity, &n);
	for (; i <= 18; i++)
		deliver_number(i);
	wrong += client_looks(told, &validity, &n);
	wrong += client_looks(told, &validity, &n);
	ok(wrong == 0 && n == 18,
	   "journal %s, then a %s: no UID is another message, all are there",
	   cut ? "cut" : "of before", delivery_first ? "delivery" : "client");
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

int main(void)
{
	int cut;

	test_torn();
	test_damage();
	test_before_damage("a record", -600, -600);
	test_before_damage("the head", 20, 20);
	test_before_damage("a record, and the last one", -600, -20);
	test_loss();
	test_unlinked_delivery();
	for (cut = 0; cut <= 80; cut += 20) {
		test_older_journal(cut, true);
		test_older_journal(cut, false);
	}
	test_killed();
	test_full();
	clean();
	return done();
}
