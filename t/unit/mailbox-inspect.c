/*
 * The check of a folder's files: it finds each difference, changes nothing, and
 * what it says a session does is done. And the journal as text.
 */
#include <string.h>

#include "mailbox/inspect.h"
#include "t/unit/mailbox-lib.h"

static struct {
	int n;
	char first[600]; /* "file:offset what" */
	char all[20000];
} found;

static void note(void *context, const struct inspect_finding *f)
{
	char text[600];

	(void)context;
	snprintf(text, sizeof(text), "%s:%lld %s", f->file, (long long)f->at,
		 f->what);
	if (found.n++ == 0)
		strcpy(found.first, text);
	if (strlen(found.all) + strlen(text) + 2 < sizeof(found.all))
		strcat(strcat(found.all, text), "\n");
}

static int check(const char *folder)
{
	struct store *s;
	int code;

	memset(&found, 0, sizeof(found));
	code = store_open(at.maildir, false, &s);
	if (!code)
		code = inspect_check(s, folder, note, NULL);
	store_close(&s);
	return code;
}

static void mend(const char *folder)
{
	struct store *s;

	ok(store_open(at.maildir, false, &s) == ERR_OK &&
		   inspect_mend(s, folder) == ERR_OK,
	   "a session opens it");
	store_close(&s);
}

/* A folder with N messages, whose flags are in use, and a cache. */
static void begin(int n)
{
	const uint32_t seq = 1;
	struct mailbox_facts facts;
	struct store *s;
	struct mailbox *m;

	fresh();
	deliver_n("INBOX", n);
	m = open_folder("INBOX", false, &s);
	if (mailbox_store(m, &seq, 1, MAILBOX_ADD, MAILBOX_SEEN, 0, UINT64_MAX,
			  NULL) != ERR_OK)
		exit(1);
	for (uint32_t i = 1; i <= mailbox_count(m); i++)
		mailbox_facts(m, i, true, &facts);
	close_folder(&m, &s);
}

/* Turns one bit of FILE at AT, from the end if below 0. */
static void flip(const char *file, long where)
{
	int fd = open(path(file), O_RDWR);
	off_t spot = where < 0 ? file_size(path(file)) + where : where;
	char c;

	if (fd < 0 || pread(fd, &c, 1, spot) != 1)
		exit(1);
	c ^= 1;
	if (pwrite(fd, &c, 1, spot) != 1)
		exit(1);
	close(fd);
}

static void test_right(void)
{
	char *before, *after;
	size_t n, k;

	begin(5);
	before = slurp(path("posthorn-journal"), &n);
	ok(check("INBOX") == ERR_OK && found.n == 0, "nothing differs: %s",
	   found.all);
	after = slurp(path("posthorn-journal"), &k);
	ok(n == k && memcmp(before, after, n) == 0, "nothing is written");
	free(before);
	free(after);
	ok(check("None") == ERR_NOT_FOUND, "a folder that is not there");
}

static void test_files(void)
{
	char name[300], other[400];
	int fd;

	begin(4);
	find_name("cur", "U=2", name);
	unlink(path(name));
	check("INBOX");
	ok(found.n == 1 && strstr(found.first, "uid 2: there is no such file"),
	   "a file that is gone: %s", found.all);
	find_name("cur", "U=3", name);
	fd = open(path(name), O_WRONLY | O_APPEND);
	ok(write(fd, "more\n", 5) == 5, "a file that grew");
	close(fd);
	write_file(path("cur/1700000000.M1P1.other:2,"), "A: b\n\nc\n", 8);
	find_name("cur", "U=4", name);
	snprintf(other, sizeof(other), "%.*s:2,F", (int)strcspn(name, ":"),
		 name);
	rename(path(name), path(other));
	check("INBOX");
	ok(found.n == 4 && strstr(found.all, "uid 3: other bytes") &&
		   strstr(found.all, "uid 4: renamed") &&
		   strstr(found.all, "1700000000.M1P1.other:-1 a file without"),
	   "all that others did: %s", found.all);
	mend("INBOX");
	check("INBOX");
	ok(!strstr(found.all, "uid 2") && !strstr(found.all, "uid 4") &&
		   !strstr(found.all, "without"),
	   "and it sees that: %s", found.all);
}

static void test_journal(void)
{
	uint32_t v, w, count, next;
	int fd;

	begin(4);
	v = validity_of("INBOX", &count, &next);
	fd = open(path("posthorn-journal"), O_WRONLY | O_APPEND);
	ok(write(fd, "part of a record", 16) == 16, "an unfinished record");
	close(fd);
	check("INBOX");
	ok(found.n == 1 && strstr(found.first, "16 bytes"), "is told: %s",
	   found.all);
	mend("INBOX");
	ok(check("INBOX") == ERR_OK && found.n == 0, "and cut off: %s",
	   found.all);
	flip("posthorn-journal", 32 + 20);
	check("INBOX");
	ok(strstr(found.all, "posthorn-journal:32 damaged") != NULL,
	   "a damaged one: %s", found.first);
	/* the snapshot would hide it: a session must read the journal */
	unlink(path("posthorn-snapshot"));
	mend("INBOX");
	check("INBOX");
	w = validity_of("INBOX", &count, &next);
	ok(found.n == 0 && w != v && count == 4,
	   "is made anew, with another UIDVALIDITY: %s", found.all);
	unlink(path("posthorn-journal"));
	check("INBOX");
	ok(found.n == 1 && strstr(found.first, "there is none"),
	   "a missing one: %s", found.all);
	flip("posthorn-lock", 0);
	write_file(path("posthorn-journal"), "x", 1);
	check("INBOX");
	ok(found.n == 1 && strstr(found.first, "head is damaged"),
	   "one with a damaged head: %s", found.all);
}

static void test_beside(void)
{
	struct store *s;

	begin(3);
	write_file(path("posthorn-snapshot"), "x", 1);
	flip("posthorn-cache", 40);
	write_file(path("posthorn-signatures"), "x", 1);
	write_file(path("posthorn-texts"), "x", 1);
	check("INBOX");
	ok(found.n == 4 && strstr(found.all, "posthorn-signatures:0 damaged") &&
		   strstr(found.all, "posthorn-texts:0 damaged") && strstr(found.all, "posthorn-snapshot:-1 damaged") &&
		   strstr(found.all, "posthorn-cache:0 no entry of uid 1"),
	   "damage in snapshot, cache, signatures and texts: %s", found.all);
	ok(store_open(at.maildir, false, &s) == ERR_OK &&
		   inspect_forget(s, "INBOX") == ERR_OK,
	   "they are removed");
	ok(file_size(path("posthorn-snapshot")) < 0 &&
		   file_size(path("posthorn-cache")) < 0 &&
		   file_size(path("posthorn-signatures")) < 0 &&
		   file_size(path("posthorn-texts")) < 0 &&
		   file_size(path("posthorn-journal")) > 0,
	   "and the journal is not");
	store_close(&s);
	ok(check("INBOX") == ERR_OK && found.n == 0, "nothing differs: %s",
	   found.all);
}

static struct {
	char text[20000];
	int n;
} lines;

static void add_line(void *context, int64_t where, const char *text)
{
	(void)context;
	lines.n++;
	if (strlen(lines.text) + strlen(text) + 40 < sizeof(lines.text))
		sprintf(lines.text + strlen(lines.text), "%lld %s\n",
			(long long)where, text);
}

static void test_dump(void)
{
	struct store *s;
	int fd;

	begin(2);
	if (store_open(at.maildir, false, &s) != ERR_OK)
		exit(1);
	ok(inspect_dump(s, "INBOX", add_line, NULL) == ERR_OK, "a dump");
	ok(strncmp(lines.text, "0 head id=", 10) == 0, "begins with the head");
	ok(strstr(lines.text, "\n32 begin count=0 ") != NULL,
	   "then the first record");
	ok(strstr(lines.text, " add count=1 ") &&
		   strstr(lines.text, "   uid=2 flags=0 ") &&
		   strstr(lines.text, ",U=2"),
	   "messages with their names");
	ok(strstr(lines.text, " flags count=1 ") &&
		   strstr(lines.text, "   uid=1 flags=1 "),
	   "and changes of flags");
	fd = open(path("posthorn-journal"), O_WRONLY | O_APPEND);
	ok(write(fd, "rest", 4) == 4 &&
		   inspect_dump(s, "INBOX", add_line, NULL) == ERR_CORRUPT,
	   "what is no record is an error");
	close(fd);
	store_close(&s);
}

int main(void)
{
	test_right();
	test_files();
	test_journal();
	test_beside();
	test_dump();
	clean();
	return done();
}
