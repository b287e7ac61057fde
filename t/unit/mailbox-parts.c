/*
 * A large snapshot is checked part by part when it is used: whatever is damaged
 * in it, a session sees what the journal says, or ends.
 */
#include <sys/wait.h>

#include "index/disk.h"
#include "mailbox/opened.h"
#include "t/unit/mailbox-lib.h"

#define N 1000 /* several parts of entries and of names */
#define SEEN 700

static char *base[N + 1];
static uint32_t validity;

/* N messages of another program; the first are seen. Closing writes a snapshot.
 */
static void make(void)
{
	const char text[] = "A: b\n\nx\n";
	uint32_t *seq = mem_array(N, sizeof(*seq)), i;
	struct store *s;
	struct mailbox *m;
	char name[128];
	size_t n;
	const char *p;

	fresh();
	m = open_folder("INBOX", false, &s);
	close_folder(&m, &s);
	for (i = 1; i <= N; i++) {
		snprintf(name, sizeof(name),
			 "cur/17%08u.a-name-that-needs-some-room-%08u:2,%s", i,
			 i, i <= SEEN ? "S" : "");
		write_file(path(name), text, strlen(text));
	}
	m = open_folder("INBOX", false, &s);
	for (i = 0; i < N; i++)
		seq[i] = i + 1;
	mailbox_store(m, seq + N / 2, 1, MAILBOX_ADD, MAILBOX_FLAGGED, 0,
		      UINT64_MAX, NULL);
	validity = mailbox_uidvalidity(m);
	for (i = 1; i <= N; i++) {
		p = mailbox_base(m, i, &n);
		free(base[i]);
		base[i] = mem_strndup(p, n);
	}
	close_folder(&m, &s);
	free(seq);
	/* directories are read once more when it was just now */
	usleep(50000);
	m = open_folder("INBOX", true, &s);
	close_folder(&m, &s);
}

static bool is_right(struct mailbox *m, uint32_t i)
{
	unsigned flags = (i <= SEEN ? MAILBOX_SEEN : 0) |
			 (i == N / 2 + 1 ? MAILBOX_FLAGGED : 0);
	size_t n;
	const char *p = mailbox_base(m, i, &n);

	return mailbox_uid(m, i) == i && mailbox_get(m, i).flags == flags &&
	       p && n == strlen(base[i]) && memcmp(p, base[i], n) == 0;
}

/* From the middle on, then from the first: parts are wanted in another order. */
static uint32_t count_right(struct mailbox *m)
{
	uint32_t i, right = 0;

	for (i = 0; i < N; i++)
		right += is_right(m, (i + N / 2) % N + 1);
	return right;
}

static void damage(char *data, size_t n, size_t where)
{
	data[where] ^= 0x40;
	write_file(path(DISK_SNAPSHOT), data, n);
	data[where] ^= 0x40;
}

static void test_anywhere(void)
{
	uint32_t i, good = 0;
	struct store *s;
	struct mailbox *m;
	size_t n;
	char *data;

	make();
	data = slurp(path(DISK_SNAPSHOT), &n);
	for (i = 0; i < 100; i++) {
		damage(data, n, n / 100 * i + i);
		m = open_folder("INBOX", i % 2, &s);
		if (i % 4 < 2 && mailbox_first_unseen(m) != SEEN + 1)
			printf("# %u: unseen\n", i);
		else if (count_right(m) == N)
			good++;
		else
			printf("# %u\n", i);
		mailbox_close(&m);
		store_close(&s);
	}
	ok(good == 100, "a byte that is wrong anywhere changes nothing");
	free(data);
}

/* What is not looked at may be damaged and is not noticed: so it was not read.
 * What is written all the same is right. */
static void test_lazy(void)
{
	const uint32_t last = N, first = 1;
	struct store *s;
	struct mailbox *m, *other;
	size_t n, from;
	char *data;

	make();
	data = slurp(path(DISK_SNAPSHOT), &n);
	from = n - n / 4; /* names */
	memset(data + from, 0, n - from);
	write_file(path(DISK_SNAPSHOT), data, n);
	m = open_folder("INBOX", false, &s);
	ok(mailbox_first_unseen(m) == SEEN + 1 && mailbox_uid(m, 1) == 1 &&
		   mailbox_store(m, &last, 1, MAILBOX_SET, MAILBOX_SEEN, 0,
				 UINT64_MAX, NULL) == ERR_OK &&
		   mailbox_store(m, &first, 1, MAILBOX_SET, 0, 0, UINT64_MAX,
				 NULL) == ERR_OK &&
		   mailbox_first_unseen(m) == 1 && !m->x.t.parts->mended,
	   "flags are read and changed, and names not looked at");
	ok(text_is(m, 600, "A: b\r\n\r\nx\r\n") && m->x.t.parts->mended,
	   "a message is read");
	other = NULL;
	ok(mailbox_open(s, "INBOX", true, &other) == ERR_OK &&
		   mailbox_get(other, N).flags == MAILBOX_SEEN &&
		   mailbox_first_unseen(other) == 1 && is_right(other, 2) &&
		   is_right(other, N - 1),
	   "and others see it");
	mailbox_close(&other);
	close_folder(&m, &s);
	m = open_folder("INBOX", false, &s);
	ok(mailbox_get(m, 1).flags == 0 && is_right(m, 2) &&
		   text_is(m, N, "A: b\r\n\r\nx\r\n"),
	   "also later");
	close_folder(&m, &s);
	free(data);
}

/* Then nobody knows the flags; but no session tells wrong ones, and the messages
 * stay. */
static void test_both(size_t part, const char *what)
{
	const struct mailbox_changes *c;
	uint32_t i, wrong = 0, there = 0, last = N;
	struct store *s;
	struct mailbox *m = NULL;
	char *data, *journal;
	size_t n, nj;
	int code;

	make();
	data = slurp(path(DISK_SNAPSHOT), &n);
	journal = slurp(path(DISK_JOURNAL), &nj);
	data[n / 10 * part] ^= 1;
	journal[nj / 10] ^= 1;
	write_file(path(DISK_SNAPSHOT), data, n);
	write_file(path(DISK_JOURNAL), journal, nj);
	store_open(at.maildir, false, &s);
	code = mailbox_open(s, "INBOX", false, &m);
	for (i = 1; !code && i <= N; i++) {
		struct mailbox_message g = mailbox_get(m, i);
		size_t length;

		there += !g.gone && mailbox_base(m, i, &length);
		wrong += !g.gone && mailbox_base(m, i, &length) &&
			 !is_right(m, i);
	}
	if (!code)
		code = mailbox_refresh(m, true, &c);
	ok(wrong == 0 && (code == ERR_CORRUPT || there == N),
	   "%s and the journal damaged: %u are known, %u wrong, then: %s", what,
	   there, wrong, err_text(code));
	ok(!m || mailbox_store(m, &last, 1, MAILBOX_SET, MAILBOX_SEEN, 0,
			       UINT64_MAX, NULL) == ERR_CORRUPT,
	   "which changes nothing any more");
	mailbox_close(&m);
	for (i = 0, code = ERR_CORRUPT; code == ERR_CORRUPT && i < 2; i++)
		code = mailbox_open(s, "INBOX", false, &m);
	ok(code == ERR_OK && mailbox_count(m) == N &&
		   mailbox_uidvalidity(m) != validity &&
		   text_is(m, N, "A: b\r\n\r\nx\r\n"),
	   "the next session has all messages, with new numbers");
	mailbox_close(&m);
	store_close(&s);
	free(data);
	free(journal);
}

/* Changes all flags, and dies before they are in the names. */
static void flag_and_die(void)
{
	struct store *s;
	struct mailbox *m;
	pid_t pid = fork();

	if (pid == 0) {
		m = open_folder("INBOX", false, &s);
		for (uint32_t i = 1; i <= N; i++)
			mailbox_store(m, &i, 1, MAILBOX_ADD, MAILBOX_FLAGGED, 0,
				      UINT64_MAX, NULL);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static int count_flagged(void)
{
	DIR *d = opendir(path("cur"));
	struct dirent *e;
	int n = 0;

	while ((e = readdir(d)))
		n += strstr(e->d_name, ":2,F") != NULL;
	closedir(d);
	return n;
}

/* A snapshot may be of a moment when flags were not yet in names: whoever comes
 * later makes up for that, in parts too that it did not want otherwise. */
static void test_unsettled(void)
{
	const uint32_t first = 1;
	struct store *s;
	struct mailbox *m;
	long before;

	make();
	before = file_size(path(DISK_SNAPSHOT));
	unlink(path(DISK_SNAPSHOT));
	fflush(stdout);
	flag_and_die();
	m = open_folder("INBOX", false, &s);
	close_folder(&m, &s);
	ok(file_size(path(DISK_SNAPSHOT)) == before && count_flagged() < 10,
	   "a snapshot has flags that are in no name yet");
	m = open_folder("INBOX", false, &s);
	mailbox_store(m, &first, 1, MAILBOX_ADD, MAILBOX_ANSWERED, 0,
		      UINT64_MAX, NULL);
	close_folder(&m, &s);
	ok(count_flagged() == N, "the next session puts them there: %d of %d",
	   count_flagged(), N);
}

int main(void)
{
	test_anywhere();
	test_lazy();
	test_unsettled();
	test_both(3, "entries");
	test_both(8, "names");
	clean();
	return done();
}
