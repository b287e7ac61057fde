/*
 * A message whose file is renamed at the very moment when it is read, copied
 * or moved, since another session or program sets flags, is found again under
 * its new name.
 */
#include "mailbox/private.h"
#include "maildir/maildir.h"
#include "t/unit/mailbox-lib.h"

#define N 3

static struct messages_ops real, hooked;
static int links, opens; /* so many more come after a rename */

static void rename_one(const char *name)
{
	static int count; /* no name comes twice */
	char from[800], to[800];

	snprintf(from, sizeof(from), "cur/%s", name);
	snprintf(to, sizeof(to), "cur/%.*s:2,F%c", (int)strcspn(name, ":"),
		 name, 'a' + count++ / N % 26);
	if (rename(path(from), path(to)) < 0)
		printf("# rename\n");
}

/* All files of INBOX get other flags in their names. */
static void rename_all(void)
{
	DIR *d = opendir(path("cur"));
	struct dirent *e;
	char name[N][256];
	int i, n = 0;

	while (n < N && (e = readdir(d)))
		if (e->d_name[0] != '.')
			snprintf(name[n++], sizeof(name[0]), "%s", e->d_name);
	closedir(d);
	for (i = 0; i < n; i++)
		rename_one(name[i]);
}

static int hooked_link(struct messages *ms, const struct message_ref *to,
		       struct messages *other, const struct message_ref *from)
{
	if (links > 0 && links--)
		rename_all();
	return real.link(ms, to, other, from);
}

static int hooked_open(struct messages *ms, const struct message_ref *r,
		       int *fd)
{
	if (opens > 0 && opens--)
		rename_all();
	return real.open(ms, r, fd);
}

static int open_hooked(int dir, bool make, struct messages **ms)
{
	int code = maildir_open(dir, make, ms);

	if (code)
		return code;
	real = hooked = *(*ms)->ops;
	hooked.link = hooked_link;
	hooked.open = hooked_open;
	(*ms)->ops = &hooked;
	return ERR_OK;
}

static struct mailbox *begin(struct store **s)
{
	const struct mailbox_changes *c;
	struct mailbox *m = NULL;

	fresh();
	deliver_n("INBOX", N);
	store_open(at.maildir, true, s);
	(*s)->opener = open_hooked;
	store_create(*s, "Box", NULL);
	mailbox_open(*s, "INBOX", false, &m);
	mailbox_settle(m); /* all are in cur */
	mailbox_refresh(m, true, &c);
	return m;
}

static void end(struct mailbox **m, struct store **s)
{
	links = opens = 0;
	close_folder(m, s);
}

static uint32_t count_in(struct store *s, const char *folder)
{
	struct store_status st = { 0 };

	store_status(s, folder, false, &st);
	return st.messages;
}

/* The first is copied, since its file has another name; the others are linked.
 */
static void test_mixed(void)
{
	const uint32_t seq[N] = { 1, 2, 3 };
	uint32_t uid[N], validity;
	struct folder_id id;
	struct store *s;
	struct mailbox *m = begin(&s);
	char name[600];

	if (!find_name("cur", ",U=1", name) ||
	    link(path(name), path("tmp/backup")) < 0)
		printf("# no link\n");
	links = 1;
	ok(mailbox_copy(m, seq, N, "Box", true, uid, &validity, &id) ==
			   ERR_OK &&
		   links == 0 && count_in(s, "Box") == N,
	   "MOVE of one that is copied, and others that are renamed");
	end(&m, &s);
}

static void test_copy(bool move, int before_links, int before_opens)
{
	const uint32_t seq[N] = { 1, 2, 3 };
	uint32_t uid[N], validity;
	struct folder_id id;
	struct store *s;
	struct mailbox *m = begin(&s);
	int code;

	links = before_links;
	opens = before_opens;
	code = mailbox_copy(m, seq, N, "Box", move, uid, &validity, &id);
	ok(code == ERR_OK, "%s: renames before %d links, %d opens: %s",
	   move ? "MOVE" : "COPY", before_links, before_opens, err_text(code));
	ok(links == 0 && opens == 0 && count_in(s, "Box") == N,
	   "all are there");
	end(&m, &s);
}

static void test_read(int before_opens)
{
	struct store *s;
	struct mailbox *m = begin(&s);

	opens = before_opens;
	ok(text_is(m, 2,
		   "Return-Path: <a@b>\r\nFrom: <a@b>\r\n"
		   "Subject: number 2\r\n\r\nbody 2\r\n") &&
		   opens == 0,
	   "FETCH and RETR: %d renames", before_opens);
	end(&m, &s);
}

/* One that is gone is not looked for without end. */
static void test_gone(void)
{
	const uint32_t seq[N] = { 1, 2, 3 };
	uint32_t uid[N], validity;
	struct folder_id id;
	struct store *s;
	struct mailbox *m = begin(&s);
	char name[600];

	find_name("cur", ",U=2", name);
	unlink(path(name));
	ok(mailbox_copy(m, seq, N, "Box", false, uid, &validity, &id) ==
			   ERR_NOT_FOUND &&
		   validity != 0 && count_in(s, "Box") == 0,
	   "one that is gone: nothing is copied");
	end(&m, &s);
}

int main(void)
{
	test_copy(false, 0, 1);
	test_copy(false, 0, N);
	test_copy(true, 2, 0);
	test_copy(false, 0, 3);
	test_copy(true, N, 3);
	test_mixed();
	test_read(1);
	test_read(2);
	test_read(4);
	test_gone();
	clean();
	return done();
}
