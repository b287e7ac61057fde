/*
 * Mistakes in the text of a table: the names in other lines are found, a name
 * that may be in the faulty one is not unknown for certain. In memory, and in
 * a database that was built from the same text.
 */
#include "tap.h"

#include "table/build.h"
#include "table/lookup.h"
#include "table/table.h"
#include "table-dir.h"

#define BOM "\xef\xbb\xbf"
#define NBSP "\xc2\xa0"

struct text {
	const char *promise;
	const char *text;
	bool aliases; /* the text of aliases(5); else pairs with targets */
	bool unsure;  /* a line of it, that of bob, is not understood */
	const char *where; /* of the doubt */
};

static const struct text texts[] = {
	{ "good pairs", "ann x\neve y\n", false, false, "" },
	{ "good aliases", "ann: x\neve: y\n", true, false, "" },
	{ "a byte order mark", BOM "ann x\neve y\n", false, false, "" },
	{ "one before aliases", BOM "ann: x\neve: y\n", true, false, "" },
	{ "CRLF", "ann x\r\neve y\r\n", false, false, "" },
	{ "CRLF in aliases", "ann: x\r\neve:\r\n y\r\n", true, false, "" },
	{ "no last line end", "ann x\neve y", false, false, "" },
	{ "a continued list", "ann x\neve\n y\n", false, false, "" },
	{ "a name twice", "ann x\neve y\nann z\n", false, false, "" },
	{ "no value", "ann x\nbo\nb y\neve y\n", false, true, ":2: " },
	{ "a colon for the blank", "ann x\nbob:y\neve y\n", false, true, ":2: " },
	{ "a colon before it", "ann x\nbob: y\neve y\n", false, true, ":2: " },
	{ "an equals sign", "ann x\neve y\nbob = y\n", false, true, ":3: " },
	{ "a no-break space in the key", "ann x\neve y\nbob" NBSP " y\n", false,
	  true, ":3: " },
	{ "a no-break space for the blank", "ann x\neve y\nbob" NBSP "y\n",
	  false, true, ":3: " },
	{ "an indented line", "ann x\neve y\nfay z\n bob y\n", false, true,
	  ":3: " },
	{ "an indented first line", " bob y\n\nann x\neve y\n", false, true,
	  ":1: " },
	{ "only CR as line end", "ann x\neve y\nfay z\rbob y\r", false, true,
	  ":3: " },
	{ "a value that is no target", "ann x\neve y\nbob y z\n", false, true,
	  ":3: " },
	{ "a blank for the colon", "ann: x\nbob y\neve: y\n", true, true,
	  ":2: " },
	{ "no colon at all", "ann: x\neve: y\nbob", true, true, ":3: " },
	{ "an indented alias", "ann: x\neve: y\nfay: z\n bob: y\n", true, true,
	  ":3: " },
	{ "an indented first alias", " bob: y\nann: x\neve: y\n", true, true,
	  ":1: " },
	{ "a comma for the line end", "ann: x\neve: y\nfay: z, bob: y\n", true,
	  true, ":3: " },
	{ "a name with its domain", "ann: x\nbob@d: y\neve: y\n", true, true,
	  ":2: " },
	{ "no target", "ann: x\nbob:\neve: y\n", true, true, ":2: " },
};

static void expect(struct table *t, const struct text *x, const char *how)
{
	int absent = x->unsure ? ERR_UNSURE : ERR_NOT_FOUND, bob;
	struct buf value;

	buf_init(&value, TABLE_VALUE_MAX);
	ok(table_get(t, "ann", &value) == ERR_OK && !strcmp(value.data, "x") &&
		   table_get(t, "eve", &value) == ERR_OK &&
		   !strcmp(str_trim(value.data), "y"),
	   "%s: %s: the others are found", x->promise, how);
	ok(table_get(t, "zoe", &value) == absent, "%s: %s: code", x->promise,
	   how);
	bob = table_get(t, "bob", &value);
	ok(bob == absent || (x->unsure && bob == ERR_TEMP) ||
		   (bob == ERR_OK && value.len == 0),
	   "%s: %s: the name itself", x->promise, how);
	ok(!*x->where == !*table_doubt(t) && strstr(table_doubt(t), x->where),
	   "%s: %s: and it says where: %s", x->promise, how, table_doubt(t));
	buf_free(&value);
}

static void test_text(const struct text *x)
{
	char *path = put_file("text", x->text);
	char *memory = mem_printf("%s:%s", x->aliases ? "aliases" : "texthash",
				  path);
	char *database = mem_printf("hash:%s", path);
	struct table_built built;
	struct buf faults;
	struct table *t;

	buf_init(&faults, 65536);
	t = table_open(memory, true, &faults);
	expect(t, x, "memory");
	ok(!x->unsure || strstr(faults.data, "waits until that is mended"),
	   "%s: a fault that says what follows", x->promise);
	table_free(&t);
	ok(table_build(database,
		       x->aliases ? TABLE_SOURCE_ALIASES : TABLE_SOURCE_TARGETS,
		       &built, &faults) == ERR_OK,
	   "%s: built", x->promise);
	buf_reset(&faults);
	t = table_open(database, true, &faults);
	expect(t, x, "database");
	ok(!x->unsure || strstr(faults.data, x->where),
	   "%s: the database has it, too", x->promise);
	table_free(&t);
	buf_free(&faults);
	free(memory);
	free(database);
	free(path);
}

static const struct {
	const char *type, *text, *where;
} rules[] = {
	{ "cidr", "10.0.0.0/8 x\n10.0.0.0/99 y\n", ":2: " },
	{ "cidr", " 10.0.0.0/8 x\n", ":1: " },
	{ "pcre", "/a/ x\n/(/ y\n", ":2: " },
	{ "pcre", "/a/ x\n\nendif\n", ":3: " },
	{ "pcre", "if /a/\n/b/ y\n", ":1: " },
};

static void test_rules(size_t i)
{
	char *path = put_file("rules", rules[i].text);
	char *spec = mem_printf("%s:%s", rules[i].type, path);
	struct buf faults, value;
	struct table *t;

	buf_init(&faults, 65536);
	buf_init(&value, 65536);
	t = table_open(spec, false, &faults);
	ok(table_get(t, "192.0.2.1", &value) == ERR_UNSURE &&
		   strstr(table_doubt(t), rules[i].where),
	   "a rule that is not understood: %s", table_doubt(t));
	table_free(&t);
	buf_free(&faults);
	buf_free(&value);
	free(spec);
	free(path);
}

static const struct {
	const char *promise, *address, *want; /* NULL: unsure */
} lookups[] = {
	{ "a line of its own", "ann@x.test", "a" },
	{ "one without the extension", "ann+e@x.test", "a" },
	{ "in the next table", "eve@x.test", "e" },
	{ "in neither", "zoe@y.test", NULL },
	{ "only by a catch-all", "zoe@x.test", NULL },
	{ "only by a pattern", "rex@y.test", NULL },
};

/* What stands for all other names does not stand for one that may be in a line
 * that is not understood. */
static void test_addresses(void)
{
	char *path = put_file("first", "ann@x.test a\n@x.test all\nbob\n");
	char *rex = put_file("second", "/^rex@/ r\n");
	char *text = mem_printf("texthash:%s pcre:%s inline:{eve@x.test=e}",
				path, rex);
	struct strlist specs = { 0 };
	struct table_list maps;
	struct buf faults, value;

	strlist_split(&specs, text);
	buf_init(&faults, 65536);
	buf_init(&value, 65536);
	ok(table_list_open(&maps, &specs, true, &faults), "maps open");
	for (size_t i = 0; i < sizeof(lookups) / sizeof(lookups[0]); i++) {
		const char *extension, *want = lookups[i].want;
		size_t n;
		int err = lookup_virtual(&maps, lookups[i].address, "+", false,
					 &value, &extension, &n);

		ok(want ? !err && !strcmp(value.data, want) : err == ERR_UNSURE,
		   "a name %s: %s", lookups[i].promise, err_text(err));
	}
	table_list_free(&maps);
	strlist_free(&specs);
	buf_free(&faults);
	buf_free(&value);
	free(text);
	free(rex);
	free(path);
}

int main(void)
{
	ok(mkdtemp(dir) != NULL, "a folder");
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		test_text(&texts[i]);
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		test_rules(i);
	test_addresses();
	remove_dir();
	return done();
}
