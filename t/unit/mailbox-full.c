/*
 * lib/mailbox on a full disk: it can be opened, and mail can be removed. The
 * disk is a small one in memory, for which the test has to be root.
 */
#include <errno.h>
#include <sched.h>
#include <sys/mount.h>

#include "mailbox/acl.h"
#include "t/unit/mailbox-lib.h"

static bool make_disk(const char *size)
{
	fresh();
	return mkdir(at.maildir, 0700) == 0 &&
	       mount("none", at.maildir, "tmpfs", 0, size) == 0;
}

static bool can_mount(void)
{
	return geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

/* Uses up what is left. */
static void fill_disk(void)
{
	char block[4096] = { 1 };
	int fd = open(path("filler"), O_WRONLY | O_CREAT | O_APPEND, 0600);
	while (write(fd, block, sizeof(block)) > 0)
		;
	close(fd);
}

static void test_delete(void)
{
	const struct mailbox_changes *c;
	struct store_status st;
	struct store *s;
	struct mailbox *m;
	uint32_t seq[] = { 1, 2, 3, 4, 5, 6 };
	struct delivered out;

	deliver_n("INBOX", 6);
	fill_disk();
	ok(deliver_to("INBOX", "A: b\r\n\r\nx\r\n", "Q", &out) == ERR_NO_SPACE,
	   "the disk is full");
	m = open_folder("INBOX", true, &s);
	ok(m && mailbox_count(m) == 6 &&
		   text_is(m, 6,
			   "Return-Path: <a@b>\r\nFrom: <a@b>\r\n"
			   "Subject: number 6\r\n\r\nbody 6\r\n"),
	   "EXAMINE and FETCH");
	ok(store_status(s, "INBOX", false, &st) == ERR_OK && st.messages == 6,
	   "STATUS");
	close_folder(&m, &s);
	m = open_folder("INBOX", false, &s);
	ok(m && mailbox_count(m) == 6, "SELECT");
	ok(mailbox_store(m, seq, 3, MAILBOX_ADD, MAILBOX_DELETED, 0, UINT64_MAX,
			 NULL) == ERR_OK &&
		   mailbox_store(m, seq + 3, 3, MAILBOX_ADD, MAILBOX_DELETED, 0,
				 UINT64_MAX, NULL) == ERR_OK,
	   "STORE \\Deleted");
	ok(mailbox_expunge(m, seq, 6, true) == ERR_OK &&
		   mailbox_refresh(m, true, &c) == ERR_OK && c->nexpunged == 6,
	   "EXPUNGE");
	close_folder(&m, &s);
	ok(deliver_to("INBOX", "A: b\r\n\r\nx\r\n", "Q", &out) == ERR_OK,
	   "and there is room again");
	unlink(path("filler"));
}

/* The reserve, too, is used up: files go before their record. */
/* Nothing is granted by half, and the last right can be taken away. */
static void test_rights(void)
{
	unsigned rights;
	struct store *s;

	fresh();
	if (!make_disk("size=128k") || store_open(at.maildir, true, &s) != ERR_OK)
		return;
	ok(acl_change(s, "INBOX", "ann", '=', ACL_READ) == ERR_OK, "a right");
	fill_disk();
	ok(acl_change(s, "INBOX", "ann", '+', ACL_WRITE) == ERR_NO_SPACE &&
		   acl_rights_in(s, "INBOX", "ann", &rights) == ERR_OK &&
		   rights == ACL_READ,
	   "another has no room");
	ok(acl_change(s, "INBOX", "ann", '=', 0) == ERR_OK &&
		   acl_rights_in(s, "INBOX", "ann", &rights) == ERR_OK &&
		   rights == 0,
	   "the last is taken away all the same");
	store_close(&s);
}

static void test_no_reserve(void)
{
	const struct mailbox_changes *c;
	struct store *s;
	struct mailbox *m;
	uint32_t seq[] = { 1, 2, 3, 4, 5, 6 }, gone;
	char name[600], other[700], uid[16];
	int i;

	deliver_n("INBOX", 10);
	m = open_folder("INBOX", false, &s);
	fill_disk();
	for (i = 0; i < 400; i++)
		if (mailbox_store(m, seq, 1,
				  i % 2 ? MAILBOX_ADD : MAILBOX_REMOVE,
				  MAILBOX_SEEN, 0, UINT64_MAX, NULL) != ERR_OK)
			break;
	ok(i > 8 && i < 400, "after %d changes of flags there is no room", i);
	for (i = 0; i < 400; i++)
		if (mailbox_store(m, seq, 1, MAILBOX_SET,
				  MAILBOX_DELETED | (i % 2 ? MAILBOX_SEEN : 0),
				  0, UINT64_MAX, NULL) != ERR_OK)
			break;
	ok(i > 20 && i < 400, "but for %d marks of what is to be deleted", i);
	fill_disk();
	ok(mailbox_expunge(m, seq, 6, false) == ERR_OK &&
		   mailbox_refresh(m, true, &c) == ERR_OK && c->nexpunged == 6,
	   "EXPUNGE does without");
	gone = mailbox_count(m);
	close_folder(&m, &s);
	m = open_folder("INBOX", false, &s);
	ok(mailbox_count(m) == gone, "for every session");
	fill_disk();
	mailbox_store(m, seq, 2, MAILBOX_ADD, MAILBOX_SEEN, 0, UINT64_MAX,
		      NULL);
	/* a rename that could not be recorded either */
	snprintf(uid, sizeof(uid), ",U=%u", mailbox_uid(m, 1));
	if (find_name("new", uid, name) || find_name("cur", uid, name)) {
		snprintf(other, sizeof(other), "cur/%.*s:2,F",
			 (int)strcspn(name + 4, ":"), name + 4);
		ok(rename(path(name), path(other)) == 0,
		   "a file has another name");
	}
	ok(mailbox_expunge(m, seq, 2, false) == ERR_OK, "the next one, too");
	close_folder(&m, &s);
	m = open_folder("INBOX", true, &s);
	ok(mailbox_count(m) == gone - 2, "removes what it says: %u",
	   mailbox_count(m));
	close_folder(&m, &s);
}

static bool can_read(struct mailbox *m, uint32_t n)
{
	struct buf b;
	uint32_t seq;
	int code = ERR_OK;

	buf_init(&b, 1 << 20);
	for (seq = 1; !code && seq <= n; seq++)
		code = mailbox_text(m, seq, &b);
	if (code)
		printf("# message %u: %s\n", seq - 1, err_why(code));
	buf_free(&b);
	return !code;
}

/* All that a session could use is used up. */
static void use_reserve(struct mailbox *m)
{
	const uint32_t seq = 6;
	int i, code = ERR_OK;

	for (i = 0; !code && i < 400; i++) {
		fill_disk();
		code = mailbox_store(m, &seq, 1, MAILBOX_SET,
				     MAILBOX_DELETED |
					     (i % 2 ? MAILBOX_SEEN : 0),
				     0, UINT64_MAX, NULL);
	}
}

/* Is any file's name other than at its delivery? */
static bool any_flagged(void)
{
	char name[600];

	return find_name("cur", "F", name);
}

/* With new flags, which have not come into the files' names yet. */
static void test_read(void)
{
	const uint32_t seq[] = { 1, 2, 3 }, five = 5;
	char name[600], other[700];
	struct store_status st;
	struct store *s;
	struct mailbox *m;

	deliver_n("INBOX", 6);
	m = open_folder("INBOX", false, &s);
	ok(mailbox_store(m, seq, 3, MAILBOX_ADD, MAILBOX_FLAGGED, 0, UINT64_MAX,
			 NULL) == ERR_OK,
	   "flags are set");
	use_reserve(m);
	close_folder(&m, &s);
	ok(!any_flagged(), "no file gets a name that cannot be recorded");
	m = open_folder("INBOX", false, &s);
	ok(mailbox_count(m) == 6 && can_read(m, 6), "all can be read");
	if (find_name("new", ",U=2", name))
		snprintf(other, sizeof(other), "cur/%s:2,S", name + 4);
	else if (find_name("cur", ",U=2", name))
		snprintf(other, sizeof(other), "cur/%.*s:2,RS",
			 (int)strcspn(name + 4, ":"), name + 4);
	ok(rename(path(name), path(other)) == 0, "another program renames one");
	ok(can_read(m, 6), "and it can be read");
	close_folder(&m, &s);
	m = open_folder("INBOX", true, &s);
	ok(mailbox_count(m) == 6 && can_read(m, 6), "also in a later session");
	ok(store_status(s, "INBOX", true, &st) == ERR_OK && st.messages == 6 &&
		   st.size > 0,
	   "STATUS (SIZE)");
	close_folder(&m, &s);
	unlink(path("filler"));
	m = open_folder("INBOX", false, &s);
	ok(mailbox_count(m) == 6 && can_read(m, 6) &&
		   mailbox_get(m, 1).flags & MAILBOX_FLAGGED &&
		   mailbox_get(m, 2).flags & MAILBOX_SEEN,
	   "nothing is lost when there is room again");
	ok(mailbox_store(m, &five, 1, MAILBOX_ADD, MAILBOX_SEEN, 0, UINT64_MAX,
			 NULL) == ERR_OK,
	   "another flag is set");
	close_folder(&m, &s);
	ok(any_flagged(), "with it the others come into names");
}

#define MANY 20000

/* A user who wants to remove all mail of a large folder. The messages are one
 * file, so its removal makes no room for long. */
static void test_many(void)
{
	const struct mailbox_changes *c;
	uint32_t *seq = mem_array(MANY, sizeof(*seq)), i;
	struct store *s;
	struct mailbox *m;
	char name[64];

	m = open_folder("INBOX", false, &s);
	close_folder(&m, &s);
	write_file(path("one"), "A: b\n\nx\n", 8);
	for (i = 0; i < MANY; i++) {
		seq[i] = i + 1;
		snprintf(name, sizeof(name), "cur/17%08u.foreign:2,S", i);
		if (link(path("one"), path(name)) < 0)
			printf("# link\n");
	}
	m = open_folder("INBOX", false, &s);
	fill_disk();
	ok(mailbox_count(m) == MANY &&
		   mailbox_store(m, seq, MANY, MAILBOX_ADD, MAILBOX_DELETED, 0,
				 UINT64_MAX, NULL) == ERR_OK,
	   "STORE \\Deleted of %d messages on a full disk", MANY);
	ok(mailbox_expunge(m, seq, MANY, true) == ERR_OK &&
		   mailbox_refresh(m, true, &c) == ERR_OK &&
		   c->nexpunged == MANY && mailbox_count(m) == 0,
	   "and EXPUNGE");
	close_folder(&m, &s);
	m = open_folder("INBOX", true, &s);
	ok(mailbox_count(m) == 0, "for every session");
	close_folder(&m, &s);
	free(seq);
}

int main(void)
{
	if (!can_mount() || !make_disk("size=1m")) {
		ok(true, "skipped: takes root, and a name space of mounts");
		clean();
		return done();
	}
	test_delete();
	test_no_reserve();
	umount(at.maildir);
	if (make_disk("size=1m"))
		test_read();
	umount(at.maildir);
	if (make_disk("size=16m,nr_inodes=100000"))
		test_many();
	umount(at.maildir);
	test_rights();
	umount(at.maildir);
	clean();
	return done();
}
