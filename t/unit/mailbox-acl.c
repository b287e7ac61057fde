/*
 * Access lists: letters and rights, who may do what, that a list follows its
 * folder and ends with it, and that a damaged one grants nothing.
 */
#include <string.h>

#include "base/str.h"
#include "mailbox/acl.h"
#include "mailbox/inspect.h"
#include "t/unit/mailbox-lib.h"

#define ANN "ann@example.org"

static const struct {
	const char *letters;
	const char *shown; /* NULL: not understood */
} letters[] = {
	{ "", "" },	  { "lr", "lr" },
	{ "rl", "lr" },	  { "k", "kc" },
	{ "x", "xc" },	  { "c", "kxc" },
	{ "d", "ted" },	  { "t", "td" },
	{ "e", "ed" },	  { "lrswipkxtea", "lrswipkxteacd" },
	{ "llrr", "lr" }, { "lrq", NULL },
	{ "LR", NULL },	  { "l r", NULL },
	{ "0", NULL },
};

static void test_letters(void)
{
	struct buf b;
	unsigned rights;

	for (size_t i = 0; i < sizeof(letters) / sizeof(*letters); i++) {
		bool good = acl_parse(letters[i].letters, &rights);

		buf_init(&b, 100);
		acl_put(&b, rights);
		ok(good == !!letters[i].shown &&
			   (!good ||
			    str_equal(b.len ? b.data : "", letters[i].shown)),
		   "letters \"%s\"", letters[i].letters);
		buf_free(&b);
	}
	ok(acl_is_identifier("-" ANN) && acl_is_identifier("anyone") &&
		   !acl_is_identifier("") && !acl_is_identifier("-") &&
		   !acl_is_identifier("a b") && !acl_is_identifier("a\nb"),
	   "identifiers");
}

/* What ANN may do in FOLDER; "?": it cannot be found out. */
static const char *may(struct store *s, const char *folder)
{
	static char out[32];
	unsigned rights;
	struct buf b;

	if (acl_rights_in(s, folder, ANN, &rights) != ERR_OK)
		return "?";
	buf_init(&b, 100);
	acl_put(&b, rights);
	str_copy(out, sizeof(out), b.len ? b.data : "");
	buf_free(&b);
	return out;
}

static int set(struct store *s, const char *folder, const char *identifier,
	       char how, const char *text)
{
	unsigned rights;

	acl_parse(text, &rights);
	return acl_change(s, folder, identifier, how, rights);
}

static void test_rights(struct store *s)
{
	is(may(s, "INBOX"), "", "nothing at first");
	is(may(s, "None"), "?", "no such folder");
	ok(set(s, "INBOX", ANN, '=', "lrs") == ERR_OK, "some are granted");
	is(may(s, "INBOX"), "lrs", "they count");
	set(s, "INBOX", ANN, '+', "wd");
	is(may(s, "INBOX"), "lrswted", "more");
	set(s, "INBOX", ANN, '-', "sw");
	is(may(s, "INBOX"), "lrted", "less");
	set(s, "INBOX", "anyone", '=', "lp");
	is(may(s, "INBOX"), "lrpted", "with those of anyone");
	set(s, "INBOX", "-" ANN, '=', "lt");
	is(may(s, "INBOX"), "rped", "without what is taken away");
	set(s, "INBOX", "-anyone", '=', "p");
	is(may(s, "INBOX"), "red", "also from anyone");
	set(s, "INBOX", "bob@example.org", '=', "a");
	is(may(s, "INBOX"), "red", "those of another do not count");
	set(s, "INBOX", ANN, '=', "");
	is(may(s, "INBOX"), "", "what anyone may is left, less that");
	ok(set(s, "None", ANN, '=', "l") == ERR_NOT_FOUND,
	   "none for a folder that is not there");
}

static void test_life(struct store *s)
{
	struct metadata all = { 0 };

	store_create(s, "A", NULL);
	set(s, "A", ANN, '=', "lrk");
	store_create(s, "A/B", NULL);
	is(may(s, "A/B"), "lrkc", "a new folder has that of its parent");
	store_create(s, "A/C/D", NULL);
	is(may(s, "A/C/D"), "lrkc", "or of what is nearest above");
	store_create(s, "AB", NULL);
	is(may(s, "AB"), "", "not of one beside it");
	set(s, "A/B", ANN, '=', "l");
	is(may(s, "A"), "lrkc", "a child's is its own");
	store_rename(s, "A", "Z");
	is(may(s, "Z"), "lrkc", "it follows a renamed folder");
	is(may(s, "Z/B"), "l", "and its children");
	ok(acl_identifiers(s, &all) == ERR_OK && metadata_find(&all, ANN) &&
		   metadata_find(&all, "anyone") &&
		   !metadata_find(&all, "-anyone"),
	   "who has to be told of these folders");
	metadata_free(&all);
	store_delete(s, "Z");
	store_create(s, "Z", NULL);
	is(may(s, "Z"), "", "it ends with its folder");
}

static void test_limit(struct store *s)
{
	char name[32];
	int code = ERR_OK, i;

	store_create(s, "Many", NULL);
	for (i = 0; !code && i <= ACL_ENTRIES_MAX; i++) {
		snprintf(name, sizeof(name), "u%d", i);
		code = set(s, "Many", name, '=', "l");
	}
	ok(code == ERR_LIMIT && i == ACL_ENTRIES_MAX + 1, "there is a limit");
	ok(set(s, "Many", "u0", '=', "lr") == ERR_OK, "which changes nothing");
}

static const char *const harms[] = {
	"",
	"posthorn-acl 1 00000000\n2 ann@example.org\nlr\n",
	"posthorn-acl 2 00000000\n",
	"posthorn-metadata 1 00000000\n",
};

static char found[512];

static void note(void *context, const struct inspect_finding *f)
{
	(void)context;
	snprintf(found, sizeof(found), "%s: %s", f->file, f->what);
}

static void test_damage(struct store *s)
{
	store_create(s, "Hurt", NULL);
	for (size_t i = 0; i < sizeof(harms) / sizeof(*harms); i++) {
		FILE *f;

		set(s, "Hurt", ANN, '=', "lr");
		f = fopen(path(".Hurt/posthorn-acl"), "w");
		fputs(harms[i], f);
		fclose(f);
		*found = '\0';
		ok(inspect_check(s, "Hurt", note, NULL) == ERR_OK && *found,
		   "damage %zu is found: %s", i, found);
		is(may(s, "Hurt"), "", "and grants nothing");
	}
	ok(set(s, "Hurt", ANN, '=', "l") == ERR_OK, "writing goes on");
	is(may(s, "Hurt"), "l", "and reading");
}

int main(void)
{
	struct store *s;

	fresh();
	if (store_open(at.maildir, true, &s) != ERR_OK)
		return 1;
	test_letters();
	test_rights(s);
	test_life(s);
	test_limit(s);
	test_damage(s);
	store_close(&s);
	clean();
	return done();
}
