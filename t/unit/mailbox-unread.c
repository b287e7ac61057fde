/*
 * A journal that cannot be read to its end, at any of the reads: nothing is
 * removed, replaced or given out because of what was not read. The call fails or
 * is right, and the next session finds all as it was.
 */
#include <errno.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "index/journal.h"
#include "mailbox/leftover.h"
#include "mailbox/opened.h"
#include "mailbox/private.h"
#include "t/unit/mailbox-lib.h"

#define PIECE 1000 /* a short journal takes many reads */

static bool dies_unlinking;
static int left; /* until the read that fails; 0: none does */
static bool fired;

static bool is_index(int fd)
{
	char link[40], file[1024] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return readlink(link, file, sizeof(file) - 1) > 0 &&
	       strstr(file, "/posthorn-");
}

ssize_t pread(int fd, void *data, size_t n, off_t from)
{
	if (left > 0 && is_index(fd) && --left == 0) {
		fired = true;
		errno = EIO;
		return -1;
	}
	return syscall(SYS_pread64, fd, data, n < PIECE ? n : PIECE, from);
}

int unlinkat(int dir, const char *name, int flags)
{
	if (dies_unlinking)
		_exit(0);
	return (int)syscall(SYS_unlinkat, dir, name, flags);
}

/* Nobody cuts the power here. */
int fsync(int fd)
{
	return fd < 0;
}

int fdatasync(int fd)
{
	return fd < 0;
}

static int deliver(const char *id)
{
	struct delivered out;
	char text[100];

	snprintf(text, sizeof(text), "Subject: %s\r\n\r\nbody\r\n", id);
	return deliver_to("INBOX", text, id, &out);
}

static bool expunge(uint32_t seq)
{
	struct store *s;
	struct mailbox *m = open_folder("INBOX", false, &s);
	bool good = m && mailbox_expunge(m, &seq, 1, false) == ERR_OK;

	close_folder(&m, &s);
	return good;
}

/* One that is killed before it removes the file. */
static void begin_expunge(uint32_t seq)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dies_unlinking = true;
		expunge(seq);
		_exit(1);
	}
	if (waitpid(pid, &status, 0) != pid || status != 0)
		printf("# the expunge did not end as planned\n");
}

static int look(void)
{
	struct store *s;
	struct mailbox *m;
	int code = store_open(at.maildir, true, &s);

	if (!code)
		code = mailbox_open(s, "INBOX", false, &m);
	if (!code)
		mailbox_close(&m);
	store_close(&s);
	return code;
}

/* A file comes back, as from a backup, after its expunge was complete; that of
 * another message is not. */
static void begin_restored(void)
{
	char name[600];

	deliver("Q1");
	deliver("Q2");
	deliver("Q3");
	look();
	find_name("cur", ",U=1", name);
	if (link(path(name), path("kept")) < 0)
		printf("# link\n");
	expunge(1);
	begin_expunge(1);
	rename(path("kept"), path(name));
}

static bool is_restored(void)
{
	uint32_t n, next;

	return validity_of("INBOX", &n, &next) && n == 2 &&
	       files_of_inbox() == 2;
}

static uint64_t before_expunges;

static void begin_history(void)
{
	struct store *s;
	struct mailbox *m;

	for (int i = 1; i < 7; i++) {
		char id[10];

		snprintf(id, sizeof(id), "Q%d", i);
		deliver(id);
	}
	m = open_folder("INBOX", false, &s);
	before_expunges = mailbox_reported(m);
	close_folder(&m, &s);
	expunge(2);
	expunge(3);
}

static int write_anew(void)
{
	struct store *s;
	struct mailbox *m;
	int code = store_open(at.maildir, true, &s), kept = left;

	left = 0;
	if (!code)
		code = mailbox_open(s, "INBOX", false, &m);
	if (code)
		return code;
	code = index_lock(&m->x);
	left = kept;
	if (!code)
		code = index_write_anew(&m->x);
	index_unlock(&m->x);
	mailbox_close(&m);
	store_close(&s);
	return code;
}

static bool is_in(const struct buf *ranges, uint32_t uid)
{
	const struct mailbox_range *r = (const void *)ranges->data;

	for (size_t i = 0; i < ranges->len / sizeof(*r); i++)
		if (uid >= r[i].first && uid <= r[i].last)
			return true;
	return false;
}

/* The checksums, what was expunged, and what was delivered are known. */
static bool has_history(void)
{
	struct store *s;
	struct mailbox *m = open_folder("INBOX", true, &s);
	struct delivered out = { 0 };
	struct buf gone;
	bool good = m != NULL;
	uint32_t crc;

	buf_init(&gone, 1 << 20);
	for (uint32_t seq = 1; good && seq <= 4; seq++)
		good = index_content(&m->x, mailbox_uid(m, seq), &crc) ==
		       ERR_OK;
	if (good)
		mailbox_vanished(m, before_expunges, &gone);
	good = good && is_in(&gone, 2) && is_in(&gone, 4);
	buf_free(&gone);
	close_folder(&m, &s);
	for (int i = 1; good && i < 7; i++) {
		char id[10];

		snprintf(id, sizeof(id), "Q%d", i);
		good = deliver_to("INBOX", "A: b\r\n\r\n", id, &out) ==
			       ERR_OK &&
		       out.duplicate;
	}
	return good;
}

static int deliver_again(void)
{
	return deliver("Q1");
}

static bool is_there_once(void)
{
	return files_of_inbox() == 4;
}

/* A writer died in the middle of a record. */
static void begin_cut(void)
{
	begin_history();
	if (truncate(path(DISK_JOURNAL),
		     file_size(path(DISK_JOURNAL)) - 16) < 0)
		printf("# truncate\n");
}

static int deliver_more(void)
{
	return deliver("NEXT");
}

/* The number of a message that cannot be seen is not given again. */
static void begin_older(void)
{
	char *old;
	size_t n;

	begin_history();
	old = slurp(path(DISK_JOURNAL), &n);
	deliver("Q7");
	deliver("Q8");
	write_file(path(DISK_JOURNAL), old, n);
	free(old);
}

static uint32_t next_uid(void)
{
	uint32_t n = 0, next;

	validity_of("INBOX", &n, &next);
	return next;
}

static bool goes_on_above(void)
{
	struct delivered out = { 0 };

	return deliver_to("INBOX", "A: b\r\n\r\n", "LAST", &out) == ERR_OK &&
	       out.uid > 8 && next_uid() > 9;
}

static bool is_same_validity(void);

static const struct {
	const char *what;
	void (*begin)(void);
	int (*act)(void);
	bool (*right)(void);
} cases[] = {
	{ "a file that came back is kept", begin_restored, look, is_restored },
	{ "a new journal has what the former had", begin_history, write_anew,
	  has_history },
	{ "a delivery is not repeated", begin_history, deliver_again,
	  is_there_once },
	{ "half a record is cut, nothing else", begin_cut, deliver_more,
	  is_same_validity },
	{ "an older journal goes on above", begin_older, deliver_more,
	  goes_on_above },
};

static uint32_t validity;

static uint32_t validity_now(void)
{
	struct journal_head h = { 0 };
	int fd = open(path(DISK_JOURNAL), O_RDONLY);

	if (journal_head_read(fd, &h) != ERR_OK)
		printf("# no head\n");
	close(fd);
	return h.uidvalidity;
}

static bool is_same_validity(void)
{
	uint32_t n = 0, next;

	return validity_of("INBOX", &n, &next) == validity && n >= 4;
}

static bool try(size_t i, int at_read)
{
	uint32_t before;
	bool good;
	int code;

	fresh();
	cases[i].begin();
	before = validity = validity_now();
	fired = false;
	left = at_read;
	code = cases[i].act();
	left = 0;
	good = (fired || code == ERR_OK) && validity_now() == before &&
	       cases[i].right();
	if (!good)
		printf("# read %d of \"%s\": %s\n", at_read, cases[i].what,
		       code ? err_why(code) : "no error");
	return good;
}

int main(void)
{
	leftover_busy_us = 0;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool good = true;
		int n = 0;

		do
			good = try(i, ++n) && good;
		while (fired && n < 1000);
		ok(good && n > 3, "%s, whichever of %d reads fails",
		   cases[i].what, n - 1);
	}
	clean();
	return done();
}
