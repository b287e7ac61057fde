/*
 * Special uses of folders: they follow a RENAME, end with the folder, and are
 * nobody else's; and a deleted folder leaves nothing behind.
 */
#include <string.h>

#include "base/str.h"
#include "t/unit/mailbox-lib.h"

/* The use of NAME; "" for none, "-" if there is no such folder. */
static const char *use_of(struct store *s, const char *name)
{
	static char use[64];
	struct store_list l;

	strcpy(use, "-");
	if (store_list(s, &l) != ERR_OK)
		return "?";
	for (size_t i = 0; i < l.n; i++)
		if (str_equal(l.folder[i].name, name) && l.folder[i].exists)
			str_copy(use, sizeof(use),
				 l.folder[i].special_use
					 ? l.folder[i].special_use
					 : "");
	store_list_free(&l);
	return use;
}

static void test_uses(struct store *s)
{
	ok(store_create(s, "Old", "\\Archive") == ERR_OK &&
		   store_create(s, "Old/out", "\\Sent") == ERR_OK &&
		   store_create(s, "Older", "\\Junk") == ERR_OK &&
		   store_create(s, "Plain", NULL) == ERR_OK,
	   "folders with uses are made");
	is(use_of(s, "Old"), "\\Archive", "one use");
	is(use_of(s, "Old/out"), "\\Sent", "another below it");
	is(use_of(s, "Plain"), "", "none");
	ok(store_create(s, "Bad", "\\Nonsense") == ERR_UNSUPPORTED,
	   "an unknown use is refused");
	is(use_of(s, "Bad"), "-", "and nothing made");
	ok(store_rename(s, "Old", "New") == ERR_OK, "the first is renamed");
	is(use_of(s, "New"), "\\Archive", "its use follows");
	is(use_of(s, "New/out"), "\\Sent", "so does that below it");
	is(use_of(s, "Older"), "\\Junk",
	   "a name that only begins so is another");
	ok(store_delete(s, "New/out") == ERR_OK &&
		   store_create(s, "New/out", NULL) == ERR_OK,
	   "one is deleted, and made again without a use");
	is(use_of(s, "New/out"), "", "which it has not got back");
	is(use_of(s, "New"), "\\Archive", "the others keep theirs");
	is(use_of(s, "Older"), "\\Junk", "all of them");
}

static int count_in(const char *p)
{
	DIR *d = opendir(p);
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d)))
		n += !str_equal(e->d_name, ".") && !str_equal(e->d_name, "..");
	if (d)
		closedir(d);
	return n;
}

static void test_delete(struct store *s)
{
	struct delivered out;

	store_create(s, "Gone", NULL);
	for (int i = 0; i < 3; i++)
		deliver_to("Gone", "Subject: x\r\n\r\n", i ? "B" : "A", &out);
	/* what other programs leave in a folder */
	mkdir(path(".Gone/cur/stray"), 0700);
	write_file(path(".Gone/stray"), "x", 1);
	ok(store_delete(s, "Gone") == ERR_OK, "a folder is deleted");
	is(use_of(s, "Gone"), "-", "it is gone");
	ok(count_in(path("tmp")) == 0, "and nothing of it is left: %d",
	   count_in(path("tmp")));
	ok(store_delete(s, "Gone") == ERR_NOT_FOUND, "a second time it is not");
	ok(store_delete(s, "INBOX") == ERR_DENIED, "INBOX stays");
}

int main(void)
{
	struct store *s;

	fresh();
	if (store_open(at.maildir, true, &s) != ERR_OK)
		return 1;
	test_uses(s);
	test_delete(s);
	store_close(&s);
	clean();
	return done();
}
