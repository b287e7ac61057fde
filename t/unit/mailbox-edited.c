/*
 * A message file that another program edits in place, without another size: no
 * UID ever shows parts of both texts.
 */
#include "mailbox/private.h"
#include "t/unit/mailbox-lib.h"

#define BEFORE "number 1"
#define AFTER "NUMBER 9"

/* The envelope of SEQ has SUBJECT. */
static bool is_subject(struct mailbox *m, uint32_t seq, const char *subject)
{
	struct mailbox_facts f;

	return mailbox_facts(m, seq, true, &f) == ERR_OK &&
	       memmem(f.envelope, f.envelope_len, subject, strlen(subject));
}

static bool has_subject(struct mailbox *m, uint32_t seq, const char *subject)
{
	struct buf b;
	bool has;

	buf_init(&b, 10000);
	has = mailbox_text(m, seq, &b) == ERR_OK &&
	      memmem(b.data, b.len, subject, strlen(subject));
	buf_free(&b);
	return has;
}

static void set_time(const char *p, time_t when)
{
	struct timespec t[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = when } };

	if (utimensat(AT_FDCWD, p, t, 0) < 0)
		printf("# utimensat\n");
}

/* The file whose name has HAVING, written in place, LATER seconds from now. */
static void edit(const char *having, time_t later)
{
	char name[600], *data, *word;
	size_t n;
	int fd;

	if (!find_name("new", having, name))
		find_name("cur", having, name);
	data = slurp(path(name), &n);
	word = memmem(data, n, BEFORE, strlen(BEFORE));
	fd = open(path(name), O_WRONLY);
	if (!word || pwrite(fd, AFTER, strlen(AFTER), word - data) < 0)
		printf("# no %s in %s\n", BEFORE, name);
	close(fd);
	set_time(path(name), time(NULL) + later);
	free(data);
}

/* M has the edited message under another UID, all of it. */
static void look(struct mailbox *m, const char *what)
{
	const struct mailbox_changes *c;
	uint32_t uid = mailbox_uid(m, 1);

	ok(is_subject(m, 1, BEFORE), "%s: the envelope is of one text", what);
	ok(!has_subject(m, 1, AFTER) && !has_subject(m, 1, BEFORE),
	   "%s: the other text is not shown under the same UID", what);
	ok(mailbox_refresh(m, true, &c) == ERR_OK && c->nexpunged == 1 &&
		   c->expunged_uid[0] == uid && c->new_messages,
	   "%s: it is another message", what);
	ok(is_subject(m, mailbox_count(m), AFTER) &&
		   has_subject(m, mailbox_count(m), AFTER),
	   "%s: which agrees with itself", what);
}

static void test_under_session(void)
{
	struct store *s;
	struct mailbox *m;

	fresh();
	deliver_n("INBOX", 2);
	m = open_folder("INBOX", false, &s);
	edit(",U=1", 60);
	look(m, "under a session");
	close_folder(&m, &s);
}

static void test_between_sessions(void)
{
	struct store *s;
	struct mailbox *m;

	fresh();
	deliver_n("INBOX", 2);
	m = open_folder("INBOX", false, &s);
	close_folder(&m, &s);
	edit(",U=1", 60);
	m = open_folder("INBOX", false, &s);
	look(m, "between sessions");
	close_folder(&m, &s);
}

/* There is no checksum for it. */
static void test_foreign(void)
{
	static const char text[] = "Subject: " BEFORE "\n\nbody\n";
	struct store *s;
	struct mailbox *m;

	fresh();
	deliver_n("INBOX", 0);
	m = open_folder("INBOX", false, &s);
	write_file(path("cur/17.foreign:2,"), text, sizeof(text) - 1);
	close_folder(&m, &s);
	m = open_folder("INBOX", false, &s);
	ok(mailbox_count(m) == 1 && is_subject(m, 1, BEFORE) &&
		   has_subject(m, 1, BEFORE),
	   "foreign: is shown as it is");
	sleep(2);
	edit("foreign", 0);
	look(m, "foreign");
	close_folder(&m, &s);
}

/* Many are only touched, by a restore that does not keep times. */
static void test_touched(void)
{
	struct store *s;
	struct mailbox *m;
	char name[600];

	fresh();
	deliver_n("INBOX", 1);
	m = open_folder("INBOX", false, &s);
	if (!find_name("new", ",U=1", name))
		find_name("cur", ",U=1", name);
	set_time(path(name), time(NULL) + 60);
	ok(has_subject(m, 1, BEFORE) && has_subject(m, 1, BEFORE) &&
		   mailbox_uid(m, 1) == 1,
	   "what is only touched keeps its UID");
	close_folder(&m, &s);
}

/* A new journal without history keeps the checksums. */
static void test_new_journal(void)
{
	struct store *s;
	struct mailbox *m;
	uint32_t seq = 2;
	int i;

	fresh();
	deliver_n("INBOX", 2);
	m = open_folder("INBOX", false, &s);
	for (i = 0; i < 4000; i++)
		mailbox_store(m, &seq, 1, i % 2 ? MAILBOX_ADD : MAILBOX_REMOVE,
			      MAILBOX_FLAGGED, 0, UINT64_MAX, NULL);
	mailbox_settle(m);
	close_folder(&m, &s);
	ok(file_size(path("posthorn-journal")) < 100000, "a new journal");
	m = open_folder("INBOX", false, &s);
	edit(",U=1", 60);
	look(m, "after a new journal");
	close_folder(&m, &s);
}

int main(void)
{
	test_under_session();
	test_between_sessions();
	test_foreign();
	test_touched();
	test_new_journal();
	clean();
	return done();
}
