/*
 * Annotations: which names they can have, that they are kept, follow their
 * folder and end with it, their limits, and what becomes of a damaged file.
 */
#include <string.h>

#include "base/str.h"
#include "mailbox/inspect.h"
#include "mailbox/metadata.h"
#include "t/unit/mailbox-lib.h"

static const struct {
	const char *text;
	const char *name; /* NULL: not one */
	bool entry;
} texts[] = {
	{ "/private/comment", "/private/comment", true },
	{ "/Shared/COMMENT", "/shared/comment", true },
	{ "/private", "/private", false },
	{ "/shared/vendor", "/shared/vendor", false },
	{ "/shared/vendor/x", "/shared/vendor/x", false },
	{ "/shared/vendor/x/y", "/shared/vendor/x/y", true },
	{ "/shared/vendors", "/shared/vendors", true },
	{ "/private/a b", "/private/a b", true },
	{ "/privates/x", NULL, false },
	{ "/comment", NULL, false },
	{ "private/comment", NULL, false },
	{ "/private//x", NULL, false },
	{ "/private/x/", NULL, false },
	{ "/private/x*", NULL, false },
	{ "/private/%", NULL, false },
	{ "/private/\xc3\xa9", NULL, false },
	{ "/private/a\tb", NULL, false },
	{ "/private/a\nb", NULL, false },
	{ "/", NULL, false },
	{ "", NULL, false },
};

static void test_names(void)
{
	char name[METADATA_NAME_SIZE], text[2 * METADATA_NAME_SIZE];

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		bool good = metadata_name(texts[i].text, name) == ERR_OK;

		ok(good == !!texts[i].name &&
			   (!good ||
			    (str_equal(name, texts[i].name) &&
			     metadata_is_entry(name) == texts[i].entry)),
		   "name %zu: %s", i,
		   texts[i].name ? texts[i].name : "is none");
	}
	memset(text, 'x', sizeof(text));
	memcpy(text, "/private/", 9);
	text[METADATA_NAME_SIZE - 1] = '\0';
	ok(metadata_name(text, name) == ERR_OK, "a long name");
	text[METADATA_NAME_SIZE - 1] = 'x';
	text[METADATA_NAME_SIZE] = '\0';
	ok(metadata_name(text, name) == ERR_SYNTAX, "and one too long");
}

static int set(struct store *s, const char *folder, const char *name,
	       const char *value)
{
	struct metadata m = { 0 };
	int code;

	metadata_set(&m, name, value, value ? strlen(value) : 0);
	code = metadata_change(s, folder, &m);
	metadata_free(&m);
	return code;
}

/* "-": none; "?": it cannot be read */
static const char *get(struct store *s, const char *folder, const char *name)
{
	static char out[256];
	struct metadata m = { 0 };
	const struct metadata_entry *e;

	if (metadata_read(s, folder, &m) != ERR_OK)
		return "?";
	e = metadata_find(&m, name);
	snprintf(out, sizeof(out), "%.*s", e ? (int)e->n : 1,
		 e ? e->value : "-");
	metadata_free(&m);
	return out;
}

#define COMMENT "/private/comment"
#define OTHER "/shared/vendor/x/y"

static void test_folders(struct store *s)
{
	static const char bytes[] = { 'a', 0, '\n', '\r', 'b' };
	struct metadata m = { 0 };
	const struct metadata_entry *e;

	is(get(s, "INBOX", COMMENT), "-", "there is none at first");
	ok(set(s, "INBOX", COMMENT, "inbox") == ERR_OK &&
		   set(s, "", COMMENT, "account") == ERR_OK,
	   "INBOX and the account get one");
	is(get(s, "INBOX", COMMENT), "inbox", "which INBOX has");
	is(get(s, "", COMMENT), "account", "and the account its own");
	ok(set(s, "None", COMMENT, "x") == ERR_NOT_FOUND, "no such folder");
	is(get(s, "None", COMMENT), "?", "nor can it be read");
	store_create(s, "A", NULL);
	store_create(s, "A/B", NULL);
	metadata_set(&m, COMMENT, bytes, sizeof(bytes));
	metadata_set(&m, OTHER, "", 0);
	ok(metadata_change(s, "A/B", &m) == ERR_OK, "any bytes, and no bytes");
	metadata_free(&m);
	set(s, "A", COMMENT, "a");
	ok(store_rename(s, "A", "C") == ERR_OK, "a folder is renamed");
	is(get(s, "C", COMMENT), "a", "its annotations follow");
	ok(metadata_read(s, "C/B", &m) == ERR_OK && m.n == 2 &&
		   (e = metadata_find(&m, COMMENT)) && e->n == sizeof(bytes) &&
		   memcmp(e->value, bytes, e->n) == 0 &&
		   (e = metadata_find(&m, OTHER)) && e->n == 0,
	   "also those of the one below it, byte for byte");
	metadata_free(&m);
	set(s, "C/B", COMMENT, NULL);
	is(get(s, "C/B", COMMENT), "-", "one is removed");
	is(get(s, "C/B", OTHER), "", "the other is still there");
	store_delete(s, "C");
	store_create(s, "C", NULL);
	is(get(s, "C", COMMENT), "-", "they end with the folder");
	ok(store_rename(s, "INBOX", "Old") == ERR_OK, "INBOX is renamed");
	is(get(s, "Old", COMMENT), "inbox", "the new folder has its own");
	is(get(s, "INBOX", COMMENT), "inbox", "and so has INBOX");
}

static void test_limits(struct store *s)
{
	struct metadata m = { 0 };
	char *large = mem_alloc(METADATA_VALUE_MAX + 1), name[64];

	memset(large, 'x', METADATA_VALUE_MAX + 1);
	store_create(s, "Full", NULL);
	metadata_set(&m, COMMENT, large, METADATA_VALUE_MAX + 1);
	ok(metadata_change(s, "Full", &m) == ERR_TOO_LONG, "a value too long");
	metadata_set(&m, COMMENT, large, METADATA_VALUE_MAX);
	ok(metadata_change(s, "Full", &m) == ERR_OK, "one as long as allowed");
	metadata_set(&m, OTHER, large, METADATA_VALUE_MAX);
	ok(metadata_change(s, "Full", &m) == ERR_LIMIT, "but not two of them");
	is(get(s, "Full", OTHER), "-", "and then none is changed");
	metadata_set(&m, OTHER, "y", 1);
	metadata_set(&m, COMMENT, NULL, 0);
	ok(metadata_change(s, "Full", &m) == ERR_OK, "one instead of another");
	metadata_free(&m);
	for (int i = 1; i < METADATA_ENTRIES_MAX; i++) {
		snprintf(name, sizeof(name), "/private/n%d", i);
		metadata_set(&m, name, "v", 1);
	}
	ok(metadata_change(s, "Full", &m) == ERR_OK, "as many as allowed");
	metadata_free(&m);
	ok(set(s, "Full", COMMENT, "one more") == ERR_LIMIT, "no more");
	ok(set(s, "Full", OTHER, "z") == ERR_OK, "but other values");
	is(get(s, "Full", OTHER), "z", "which are kept");
	free(large);
}

static const char *use_of(struct store *s, const char *name)
{
	const char *use = "";
	struct store_list l;

	if (store_list(s, &l) != ERR_OK)
		return "?";
	for (size_t i = 0; i < l.n; i++)
		if (str_equal(l.folder[i].name, name) &&
		    l.folder[i].special_use)
			use = l.folder[i].special_use;
	store_list_free(&l);
	return use;
}

static void test_use(struct store *s)
{
	struct metadata m = { 0 };

	store_create(s, "Drafts", NULL);
	store_create(s, "Mine", "\\Sent");
	is(get(s, "Mine", METADATA_USE), "\\Sent", "a use by CREATE");
	is(get(s, "Drafts", METADATA_USE), "\\Drafts", "one by its name");
	is(get(s, "Full", METADATA_USE), "-", "none");
	ok(set(s, "Mine", METADATA_USE, "\\drafts") == ERR_OK,
	   "it gets another one");
	is(use_of(s, "Mine"), "\\Drafts", "LIST has it");
	is(get(s, "Drafts", METADATA_USE), "-", "whose it was has it no more");
	ok(set(s, "Full", METADATA_USE, "\\Drafts") == ERR_OK,
	   "a third gets it");
	is(use_of(s, "Mine"), "", "the second has it no more");
	ok(set(s, "Full", METADATA_USE, NULL) == ERR_OK, "it is removed");
	is(use_of(s, "Drafts"), "\\Drafts", "then the name counts again");
	ok(set(s, "Drafts", METADATA_USE, "") == ERR_OK, "removed here too");
	is(use_of(s, "Drafts"), "", "the name does not count");
	store_rename(s, "Drafts", "Junk");
	is(use_of(s, "Junk"), "", "nor does a later one");
	store_delete(s, "Junk");
	store_create(s, "Junk", NULL);
	is(use_of(s, "Junk"), "\\Junk", "but that of a folder made anew");
	ok(set(s, "Mine", METADATA_USE, "\\Nonsense") == ERR_UNSUPPORTED &&
		   set(s, "Mine", METADATA_USE, "\\Sent \\Junk") ==
			   ERR_UNSUPPORTED &&
		   set(s, "INBOX", METADATA_USE, "\\Sent") == ERR_UNSUPPORTED,
	   "what no folder can be is refused");
	/* so that the use cannot be written */
	mkdir(path("posthorn-special-use.new"), 0700);
	mkdir(path("posthorn-special-use.new/x"), 0700);
	set(s, "Mine", COMMENT, "before");
	metadata_set(&m, COMMENT, "after", 5);
	metadata_set(&m, METADATA_USE, "\\Flagged", 8);
	ok(metadata_change(s, "Mine", &m) != ERR_OK, "a use cannot be written");
	is(get(s, "Mine", COMMENT), "before", "then all is as it was");
	rmdir(path("posthorn-special-use.new/x"));
	rmdir(path("posthorn-special-use.new"));
	ok(metadata_change(s, "Mine", &m) == ERR_OK, "now it can");
	is(get(s, "Mine", COMMENT), "after", "and both are changed");
	is(get(s, "Mine", METADATA_USE), "\\Flagged", "both");
	metadata_free(&m);
}

static char found[256];

static void note(void *context, const struct inspect_finding *f)
{
	(void)context;
	if (str_equal(f->file, "posthorn-metadata"))
		snprintf(found, sizeof(found), "%s", f->what);
}

/* Files of that name and those put aside, in the folder. */
static int count_named(const char *folder, const char *name)
{
	DIR *d = opendir(path(folder));
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d)))
		n += str_starts(e->d_name, name);
	if (d)
		closedir(d);
	return n;
}

#define FILE_NAME ".Hurt/posthorn-metadata"

static void cut(char *text, size_t n)
{
	write_file(path(FILE_NAME), text, n / 2);
}

static void empty(char *text, size_t n)
{
	(void)n;
	write_file(path(FILE_NAME), text, 0);
}

static void one_bit(char *text, size_t n)
{
	text[n - 3] ^= 0x10;
	write_file(path(FILE_NAME), text, n);
}

static void longer(char *text, size_t n)
{
	write_file(path(FILE_NAME), text, n + 1);
}

static void zeroed(char *text, size_t n)
{
	memset(text, 0, n);
	write_file(path(FILE_NAME), text, n);
}

static void later_version(char *text, size_t n)
{
	*(char *)memchr(text, '1', n) = '2';
	write_file(path(FILE_NAME), text, n);
}

static void directory(char *text, size_t n)
{
	(void)text, (void)n;
	mkdir(path(FILE_NAME), 0700);
}

static void fifo(char *text, size_t n)
{
	(void)text, (void)n;
	mkfifo(path(FILE_NAME), 0600);
}

static void link_away(char *text, size_t n)
{
	(void)text, (void)n;
	symlink("/etc/hostname", path(FILE_NAME));
}

static void too_large(char *text, size_t n)
{
	(void)n;
	write_file(path(FILE_NAME), text, 0);
	truncate(path(FILE_NAME), 10 << 20);
}

static const struct {
	const char *name;
	void (*harm)(char *text, size_t n);
} harms[] = {
	{ "cut", cut },
	{ "empty", empty },
	{ "one bit", one_bit },
	{ "longer", longer },
	{ "zeroed", zeroed },
	{ "of another version", later_version },
	{ "a directory", directory },
	{ "a FIFO", fifo },
	{ "a link", link_away },
	{ "too large", too_large },
};

static void test_damage(struct store *s)
{
	store_create(s, "Hurt", NULL);
	for (size_t i = 0; i < sizeof(harms) / sizeof(*harms); i++) {
		bool by_reading = i % 2;
		char text[4096];
		ssize_t n;
		int fd;

		set(s, "Hurt", COMMENT, "kept");
		fd = open(path(FILE_NAME), O_RDONLY);
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
		text[n] = '\0';
		unlink(path(FILE_NAME));
		harms[i].harm(text, (size_t)n);
		*found = '\0';
		ok(inspect_check(s, "Hurt", note, NULL) == ERR_OK && *found,
		   "%s: it is found: %s", harms[i].name, found);
		if (by_reading)
			is(get(s, "Hurt", COMMENT), "-", "nothing is read");
		ok(set(s, "Hurt", OTHER, "new") == ERR_OK,
		   "%s: writing goes on", harms[i].name);
		is(get(s, "Hurt", OTHER), "new", "and reading");
		ok(count_named(".Hurt", "posthorn-metadata.damaged-") ==
			   (int)i + 1,
		   "%s: it is kept aside", harms[i].name);
	}
	unlink(path(FILE_NAME));
	is(get(s, "Hurt", OTHER), "-", "a missing one has none");
	*found = '\0';
	ok(inspect_check(s, "Hurt", note, NULL) == ERR_OK && !*found,
	   "which is no damage");
}

int main(void)
{
	struct store *s;

	fresh();
	if (store_open(at.maildir, true, &s) != ERR_OK)
		return 1;
	test_names();
	test_folders(s);
	test_limits(s);
	test_use(s);
	test_damage(s);
	store_close(&s);
	clean();
	return done();
}
