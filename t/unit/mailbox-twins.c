/*
 * Two files of one base name, as after "cp -a" of a backup over a Maildir where
 * flags have changed: a copy is no message, and what is no copy is not lost.
 */
#include "mailbox/private.h"
#include "t/unit/mailbox-lib.h"

static const char text[] = "Return-Path: <a@b>\r\nFrom: <a@b>\r\n"
			   "Subject: number 1\r\n\r\nbody 1\r\n";
static const char other[] = "Subject: other\r\n\r\nother\r\n";
static const char other_on_disk[] = "Subject: other\n\nother\n";

static int files(void)
{
	static const char *const dirs[] = { "new", "cur" };
	struct dirent *e;
	int i, n = 0;

	for (i = 0; i < 2; i++) {
		DIR *d = opendir(path(dirs[i]));

		while ((e = readdir(d)))
			n += e->d_name[0] != '.';
		closedir(d);
	}
	return n;
}

/* One message, seen; the path of its file is put into NAME. */
static void begin(char *name)
{
	const uint32_t seq = 1;
	struct store *s;
	struct mailbox *m;

	fresh();
	deliver_n("INBOX", 1);
	m = open_folder("INBOX", false, &s);
	mailbox_store(m, &seq, 1, MAILBOX_ADD, MAILBOX_SEEN, 0, UINT64_MAX,
		      NULL);
	close_folder(&m, &s);
	if (!find_name("cur", ",U=1", name))
		printf("# no file\n");
}

/* A file with the base of NAME: LIKE it, or a hard link to it, or DATA. */
static void put_twin(const char *name, const char *dir, const char *flags,
		     const char *data)
{
	char twin[1000], *copy;
	size_t n;

	snprintf(twin, sizeof(twin), "%s/%.*s%s", dir,
		 (int)strcspn(name + 4, ":"), name + 4, flags);
	if (data && !*data) {
		if (link(path(name), path(twin)) < 0)
			printf("# link\n");
		return;
	}
	copy = slurp(path(name), &n);
	if (data)
		write_file(path(twin), data, strlen(data));
	else
		write_file(path(twin), copy, n);
	free(copy);
}

static void test_copy(const char *dir, const char *flags, const char *data,
		      const char *what)
{
	const struct mailbox_changes *c;
	struct store *s;
	struct mailbox *m;
	char name[600];

	begin(name);
	put_twin(name, dir, flags, data);
	m = open_folder("INBOX", false, &s);
	mailbox_refresh(m, true, &c);
	ok(mailbox_count(m) == 1 && mailbox_uid(m, 1) == 1 &&
		   mailbox_get(m, 1).flags == MAILBOX_SEEN && text_is(m, 1, text),
	   "%s: the message is there once, its flags as they were", what);
	ok(files() == 1 && file_size(path(name)) > 0, "%s: removed", what);
	close_folder(&m, &s);
}

/* The copy comes while a session has the folder open. */
static void test_expunge(void)
{
	const uint32_t seq = 1;
	const struct mailbox_changes *c;
	struct store *s;
	struct mailbox *m;
	char name[600];

	begin(name);
	m = open_folder("INBOX", false, &s);
	put_twin(name, "cur", ":2,", NULL);
	ok(mailbox_expunge(m, &seq, 1, false) == ERR_OK &&
		   mailbox_refresh(m, true, &c) == ERR_OK &&
		   mailbox_count(m) == 0,
	   "a message with a copy is expunged");
	close_folder(&m, &s);
	m = open_folder("INBOX", false, &s);
	ok(mailbox_count(m) == 0 && files() == 0, "and does not come back");
	close_folder(&m, &s);
}

/* Neither name is known. */
static void test_foreign(void)
{
	struct store *s;
	struct mailbox *m;
	int i;

	fresh();
	deliver_n("INBOX", 1);
	write_file(path("cur/17.foreign:2,S"), other_on_disk,
		   sizeof(other_on_disk) - 1);
	write_file(path("cur/17.foreign:2,F"), other_on_disk,
		   sizeof(other_on_disk) - 1);
	write_file(path("new/17.foreign"), other_on_disk,
		   sizeof(other_on_disk) - 1);
	for (i = 0; i < 2; i++) {
		m = open_folder("INBOX", false, &s);
		ok(mailbox_count(m) == 2 && text_is(m, 2, other) &&
			   mailbox_get(m, 2).flags == MAILBOX_FLAGGED &&
			   files() == 2,
		   "of three files of one name one is a message");
		close_folder(&m, &s);
	}
}

/* Another content, which is mail. */
static void test_differs(void)
{
	const struct mailbox_changes *c;
	struct store *s;
	struct mailbox *m;
	char name[600];
	int i;

	begin(name);
	put_twin(name, "cur", ":2,F", other_on_disk);
	m = open_folder("INBOX", false, &s);
	mailbox_refresh(m, true, &c);
	ok(mailbox_count(m) == 1 && files() == 2,
	   "one that differs, and may still be written, is left alone");
	close_folder(&m, &s);
	sleep(4);
	for (i = 0; i < 2; i++) {
		m = open_folder("INBOX", false, &s);
		mailbox_refresh(m, true, &c);
		ok(mailbox_count(m) == 2 && mailbox_uid(m, 1) == 1 &&
			   mailbox_get(m, 1).flags == MAILBOX_SEEN &&
			   text_is(m, 1, text) && text_is(m, 2, other) &&
			   mailbox_get(m, 2).flags == MAILBOX_FLAGGED,
		   "then it is a message of its own");
		close_folder(&m, &s);
	}
	ok(files() == 2, "and both files are there");
}

int main(void)
{
	test_copy("cur", ":2,", NULL, "a copy with former flags");
	test_copy("cur", ":2,FT", NULL, "a copy with other flags");
	test_copy("new", "", NULL, "a copy in new");
	test_copy("cur", ":2,", "", "a hard link");
	test_expunge();
	test_foreign();
	test_differs();
	clean();
	return done();
}
