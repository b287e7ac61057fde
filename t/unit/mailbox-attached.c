/*
 * Text of attachments from what was kept, where nobody can make any: only what
 * is of this message, this part and this command is used, and what is missing
 * is said.
 */
#include "base/file.h"
#include "client/decoder.h"
#include "index/beside.h"
#include "index/disk.h"
#include "mailbox-lib.h"
#include "mailbox/attached.h"
#include "mailbox/opened.h"
#include "mime/part.h"

#define DOCUMENT "Content-Type: a/b\n\n0123456789\n"
#define TEXT "what is in it"

static struct store *store;
static struct decoders decoders;

static void make_decoders(void)
{
	struct strlist items = { 0 };
	struct buf faults;

	buf_init(&faults, 1000);
	strlist_add(&items, "{a/b .ab: /bin/x y}");
	strlist_add(&items, "{a/c: /bin/z}");
	ok(decoders_read(&decoders, &items, "/nowhere", &faults) &&
		   decoders.n == 2,
	   "two commands");
	ok(decoders_find(&decoders, "A/B", NULL) == &decoders.row[0] &&
		   decoders_find(&decoders, "a/c", "x.ab") ==
			   &decoders.row[1] &&
		   !decoders_find(&decoders, "a/d", "x.ab") &&
		   decoders_find(&decoders, "application/octet-stream",
				 "X.AB") == &decoders.row[0] &&
		   !decoders_find(&decoders, "application/octet-stream",
				  NULL),
	   "types, and names where they say nothing");
	strlist_free(&items);
	buf_free(&faults);
}

static struct mailbox *open_box(void)
{
	struct mailbox *m;

	if (mailbox_open(store, "INBOX", false, &m) != ERR_OK)
		exit(1);
	return m;
}

/* The file is one text of message 1, if CHANGE changes nothing in its head. */
static void keep(struct mailbox *m, void (*change)(struct texts_head *h))
{
	struct texts_head h = { .made_by = decoders.row[0].made_by,
				.part = 19 };
	struct buf b;

	buf_init(&b, 1000);
	ok(beside_describe(&m->x, mailbox_entry(m, 1), &h.of), "message 1");
	if (change)
		change(&h);
	texts_put(&b, &h, TEXT, h.failed ? 0 : strlen(TEXT));
	write_file(path(DISK_TEXTS), b.data, b.len);
	buf_free(&b);
}

/* One byte of the text itself. */
static void damage(void)
{
	int fd = open(path(DISK_TEXTS), O_WRONLY);

	pwrite(fd, "W", 1, sizeof(struct texts_head));
	close(fd);
}

/* The text of message 1, "missed", or "none". */
static const char *text_of(struct mailbox *m)
{
	struct arena *a = arena_new();
	const struct mime_part *part =
		mime_parse(a, DOCUMENT, strlen(DOCUMENT));
	const struct searched_more *more = mailbox_attached(m, 1);
	const char *text, *said = "none";
	bool known = true;
	size_t n;

	if (more && more->text(more->context, DOCUMENT, part, &text, &n,
			       &known))
		said = n == strlen(TEXT) && memcmp(text, TEXT, n) == 0 && known
			       ? TEXT
			       : "another";
	else if (mailbox_attached_missed(m))
		said = "missed";
	else if (known)
		said = "nothing is decoded";
	arena_free(&a);
	return said;
}

static void another_uid(struct texts_head *h)
{
	h->of.uid++;
}

static void another_size(struct texts_head *h)
{
	h->of.size++;
}

static void another_folder(struct texts_head *h)
{
	h->of.validity++;
}

static void another_part(struct texts_head *h)
{
	h->part++;
}

static void another_command(struct texts_head *h)
{
	h->made_by = decoders.row[1].made_by;
}

static void no_command(struct texts_head *h)
{
	h->made_by++;
}

static void failed_now(struct texts_head *h)
{
	h->failed = time(NULL);
}

static void failed_long_ago(struct texts_head *h)
{
	h->failed = time(NULL) - 90000;
}

static void failed_tomorrow(struct texts_head *h)
{
	h->failed = time(NULL) + 90000;
}

static const struct {
	const char *promise;
	void (*change)(struct texts_head *h);
	const char *said;
} cases[] = {
	{ "what was kept", NULL, TEXT },
	{ "of another message", another_uid, "missed" },
	{ "of another size", another_size, "missed" },
	{ "of another folder", another_folder, "missed" },
	{ "of another part", another_part, "missed" },
	{ "of another command", another_command, "missed" },
	{ "of none", no_command, "missed" },
	{ "there is no text", failed_now, "none" },
	{ "yesterday there was none", failed_long_ago, "missed" },
	{ "tomorrow there will be none", failed_tomorrow, "missed" },
};

int main(void)
{
	struct mailbox *m;

	fresh();
	if (store_open(at.maildir, true, &store) != ERR_OK)
		return 1;
	make_decoders();
	deliver_n("INBOX", 2);
	m = open_box();
	is(text_of(m), "nothing is decoded", "without commands");
	mailbox_close(&m);
	store_set_decoders(store, &decoders, 1);
	m = open_box();
	is(text_of(m), "missed", "nothing is kept, and there is no time");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		keep(m, cases[i].change);
		mailbox_close(&m);
		m = open_box();
		is(text_of(m), cases[i].said, cases[i].promise);
	}
	keep(m, NULL);
	damage();
	mailbox_close(&m);
	m = open_box();
	is(text_of(m), "missed", "a damaged text");
	is(text_of(m), "missed", "asked for twice");
	unlink(path(DISK_TEXTS));
	keep(m, NULL);
	is(text_of(m), TEXT, "what another session has kept meanwhile");
	unlink(path(DISK_TEXTS));
	mailbox_close(&m);
	m = open_box();
	mailbox_attached_allow(m, 1000);
	is(text_of(m), "missed", "nobody answers");
	mailbox_close(&m);
	store_close(&store);
	clean();
	return done();
}
