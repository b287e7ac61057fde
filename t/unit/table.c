/*
 * Tables: each type answers as Postfix's does, follows changes of its file,
 * and names its faults by file and line.
 */
#include "tap.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "log/log.h"
#include "table/build.h"
#include "table/lookup.h"
#include "table/table.h"
#include "table-dir.h"

static const struct {
	const char *type;
	const char *text;
	const char *key;
	const char *want; /* NULL: not found */
	const char *name;
} lookups[] = {
	{ "texthash", "a b\n", "a", "b", "a pair" },
	{ "texthash", "A b C\n", "a", "b C", "a key in any case" },
	{ "texthash", "a b\n c\n", "a", "b c", "a line that goes on" },
	{ "texthash", "a b\n# x\n\n c\n", "a", "b c",
	  "comments within a line that goes on" },
	{ "texthash", "a b\r\n", "a", "b", "CRLF line ends" },
	{ "texthash", "a b\na c\n", "a", "b", "the first of two" },
	{ "texthash", "a b\n", "b", NULL, "not there" },
	{ "texthash", "\"j d\"@x y\n", "\"J d\"@x", "y", "a quoted key" },
	{ "texthash", "a b", "a", "b", "no line end at the end" },
	{ "hash", "a b\nC d\n", "c", "d", "hash" },
	{ "hash", "a b\n", "x", NULL, "hash, not there" },
	{ "btree", "a b\n", "A", "b", "btree" },
	{ "cidr", "10.0.0.0/8 a\n0.0.0.0/0 b\n", "10.2.3.4", "a", "cidr" },
	{ "cidr", "10.0.0.0/8 a\n0.0.0.0/0 b\n", "11.0.0.1", "b",
	  "cidr, second rule" },
	{ "cidr", "10.0.0.1 a\n", "10.0.0.1", "a", "one address" },
	{ "cidr", "10.0.0.0/9 a\n", "10.128.0.0", NULL, "bits in a byte" },
	{ "cidr", "2001:db8::/32 a\n", "2001:db8:1::9", "a", "IPv6" },
	{ "cidr", "[2001:db8::]/32 a\n", "2001:db8:1::9", "a",
	  "IPv6 in brackets" },
	{ "cidr", "::/0 a\n", "1.2.3.4", NULL, "families do not mix" },
	{ "cidr", "!10.0.0.0/8 a\n", "11.1.1.1", "a", "negation" },
	{ "cidr", "!10.0.0.0/8 a\n", "10.1.1.1", NULL, "negation fails" },
	{ "cidr", "if 10.0.0.0/8\n10.1.0.0/16 a\nendif\n0.0.0.0/0 b\n",
	  "10.1.0.1", "a", "inside if" },
	{ "cidr", "if 10.0.0.0/8\n0.0.0.0/0 a\nendif\n0.0.0.0/0 b\n",
	  "11.1.0.1", "b", "behind if" },
	{ "cidr", "10.0.0.0/8 a\n", "name.example", NULL, "no address" },
	{ "pcre", "/^a(.*)@x$/ $1@y\n", "abc@x", "bc@y", "a part" },
	{ "pcre", "/^(a)(b)/ ${2}$(1)$$\n", "ab", "ba$", "parts in braces" },
	{ "pcre", "/ABC/ yes\n", "abc", "yes", "case does not count" },
	{ "pcre", "/ABC/i yes\n", "abc", NULL, "unless switched" },
	{ "pcre", "!/x/ yes\n", "abc", "yes", "negated expression" },
	{ "pcre", "if /^a/\n!/b/ no-b\n/./ b\nendif\n/./ rest\n", "axb", "b",
	  "nested" },
	{ "pcre", "if !/^a/\n/./ in\nendif\n/./ out\n", "abc", "out",
	  "negated if" },
	{ "pcre", "m!^a! x\n/^b/ y\n", "b", "y", "a bad line is left out" },
	{ "pcre", "/(a)|b/ <$1>\n", "b", "<>", "a part that did not match" },
};

static void test_lookup(size_t i)
{
	char *path = put_file("table", lookups[i].text);
	char *spec = mem_printf("%s:%s", lookups[i].type, path);
	struct table_built built;
	struct buf faults, value;
	struct table *t;
	int err;

	buf_init(&faults, 65536);
	buf_init(&value, TABLE_VALUE_MAX);
	err_ignore(table_build(spec, TABLE_SOURCE_MAP, &built, &faults));
	t = table_open(spec, false, &faults);
	err = table_get(t, lookups[i].key, &value);
	ok(err == (lookups[i].want ? ERR_OK : ERR_NOT_FOUND), "%s: %s: code",
	   lookups[i].type, lookups[i].name);
	if (lookups[i].want)
		is(value.data, lookups[i].want, lookups[i].name);
	table_free(&t);
	buf_free(&faults);
	buf_free(&value);
	free(spec);
	free(path);
}

static const struct {
	const char *spec;
	const char *key;
	const char *want;
	bool opens;
} direct[] = {
	{ "inline:{a=b, c=d}", "a", "b", true },
	{ "inline:{ { k = x, y } z=1}", "k", "x, y", true },
	{ "inline:{ { k = x, y } z=1}", "Z", "1", true },
	{ "inline:{a=b, a=c}", "a", NULL, false },
	{ "inline:{a}", "a", NULL, false },
	{ "inline:a=b", "a", NULL, false },
	{ "inline:{a={b}", "a", NULL, false },
	{ "inline:{}", "a", NULL, true },
	{ "static:x y", "anything", "x y", true },
	{ "static:", "a", NULL, false },
	{ "lmdb:/x", "a", NULL, false },
	{ "hash:relative", "a", NULL, false },
	{ "hash", "a", NULL, false },
	{ "", "a", NULL, false },
};

static void test_direct(size_t i)
{
	struct buf faults, value;
	struct table *t;

	buf_init(&faults, 65536);
	buf_init(&value, TABLE_VALUE_MAX);
	t = table_open(direct[i].spec, false, &faults);
	ok(!!t == direct[i].opens, "%s opens or not", direct[i].spec);
	ok(!!t == (faults.len == 0), "%s: fault said", direct[i].spec);
	if (t && direct[i].want) {
		table_get(t, direct[i].key, &value);
		is(value.data, direct[i].want, direct[i].spec);
	}
	table_free(&t);
	buf_free(&faults);
	buf_free(&value);
}

static const struct {
	const char *spec;
	const char *text;
	const char *fault;
} faulty[] = {
	{ "texthash", "a b\nlonely\n", "table:2: expected: key value" },
	{ "texthash", "a b\n\n#\na c\n", "table:4: a duplicate key is left out" },
	{ "cidr", "10.0.0.1/8 x\n", "table:1: the address has bits beyond" },
	{ "cidr", "10.0.0.0/33 x\n", "table:1: expected: network/bits" },
	{ "cidr", "10.0.0.0/8\n", "table:1: there is no value" },
	{ "cidr", "if 10.0.0.0/8\n", "if without endif" },
	{ "cidr", "endif\n", "endif without if" },
	{ "pcre", "/(/ x\n", "table:1: the regular expression is wrong" },
	{ "pcre", "/a/ $1\n", "table:1: the expression has fewer parts" },
	{ "pcre", "!/(a)/ $1\n", "table:1: a negated expression" },
	{ "pcre", "/a/Q b\n", "table:1: unknown flag" },
	{ "pcre", "/a b\n", "table:1: expected: /expression/flags" },
	{ "aliases", "no colon\n", "table:1: expected: name: targets" },
	{ "aliases", "a: b c\n", "table:1: a target is not an address" },
	{ "aliases", "x: y\na b: c\n", "table:2: the name holds white space" },
	{ "aliases", "a@b: c\n", "table:1: the name of an alias has no" },
	{ "aliases", "a: \"|x\n", "table:1: a quote is not closed" },
	{ "aliases", "a:\n", "table:1: there is no target" },
	{ "aliases", "a: b\nA: c\n", "table:2: the alias is there already" },
	{ "aliases", "a: :include:x\n", "table:1: :include: needs an abs" },
	{ "aliases", "a: \"|\"\n", "table:1: a command is empty" },
	{ "aliases", "a: <b\n", "table:1: < and > do not pair" },
};

static void test_fault(size_t i)
{
	char *path = put_file("table", faulty[i].text);
	char *spec = mem_printf("%s:%s", faulty[i].spec, path);
	struct buf faults;
	struct table *t;

	buf_init(&faults, 65536);
	t = table_open(spec, false, &faults);
	if (!ok(strstr(faults.data, faulty[i].fault) != NULL, "%s: %s",
		faulty[i].spec, faulty[i].fault))
		printf("# got %s\n", faults.data);
	table_free(&t);
	buf_free(&faults);
	free(spec);
	free(path);
}

/* Opens SPEC, built from its text if it is a database; FAULTS of both. */
static struct table *open_built(const char *spec, enum table_source source,
				struct buf *faults)
{
	struct table_built built;

	if (str_starts(spec, "hash:"))
		err_ignore(table_build(spec, source, &built, faults));
	return table_open(spec, false, faults);
}

static const struct {
	const char *type, *separator;
	enum table_source source;
} long_ones[] = {
	{ "texthash", " ", TABLE_SOURCE_MAP },
	{ "hash", " ", TABLE_SOURCE_MAP },
	{ "aliases", ": ", TABLE_SOURCE_ALIASES },
	{ "hash", ": ", TABLE_SOURCE_ALIASES },
};

/* A right side of more than TABLE_VALUE_MAX bytes is named with its line, and
 * whose it is does not become unknown. */
static void test_long(size_t i)
{
	const char *separator = long_ones[i].separator;
	struct buf text, faults, value;
	char *path, *spec;
	struct table *t;

	buf_init(&text, 4 << 20);
	buf_init(&faults, 65536);
	buf_init(&value, TABLE_VALUE_MAX);
	buf_printf(&text, "short%sa\nlong%sa", separator, separator);
	while (text.len <= TABLE_VALUE_MAX + TABLE_VALUE_MAX / 8)
		buf_puts(&text, ",\n abcdefghijklmnopqrstuvwxyz");
	buf_printf(&text, "\nlast%sa\n", separator);
	path = put_file("long", text.data);
	spec = mem_printf("%s:%s", long_ones[i].type, path);
	t = open_built(spec, long_ones[i].source, &faults);
	ok(strstr(faults.data, "/long:2: the value is longer than 1 MiB"),
	   "%s: a line that is too long is named", spec);
	ok(table_get(t, "long", &value) == ERR_TEMP || value.len == 0,
	   "%s: it is not unknown", spec);
	ok(table_get(t, "short", &value) == ERR_OK &&
		   table_get(t, "last", &value) == ERR_OK,
	   "%s: the others are there", spec);
	table_free(&t);
	buf_free(&text);
	buf_free(&faults);
	buf_free(&value);
	free(spec);
	free(path);
}

/* newaliases: mail to a faulty alias waits, as with its text. */
static void test_faulty_built(void)
{
	char *path = put_file("faulty", "a: b c\nb: c\n");
	char *spec = mem_printf("hash:%s", path);
	struct buf faults, value;
	struct table *t;

	buf_init(&faults, 65536);
	buf_init(&value, 65536);
	t = open_built(spec, TABLE_SOURCE_ALIASES, &faults);
	ok(table_get(t, "a", &value) == ERR_OK && value.len == 0,
	   "of a faulty alias the database says that there is one");
	table_free(&t);
	buf_free(&faults);
	buf_free(&value);
	free(spec);
	free(path);
}

static void test_change(void)
{
	char *path = put_file("change", "a: one\n"), *moved;
	char *spec = mem_printf("aliases:%s", path);
	struct buf faults, value;
	struct table *t;

	buf_init(&faults, 65536);
	buf_init(&value, TABLE_VALUE_MAX);
	t = table_open(spec, false, &faults);
	table_get(t, "a", &value);
	is(value.data, "one", "the first content");
	free(put_file("change", "a: other\nbad: x y\n"));
	table_get(t, "a", &value);
	is(value.data, "other", "a changed file is read again");
	ok(table_get(t, "bad", &value) == ERR_TEMP,
	   "a faulty entry is a temporary error for its own name");
	moved = mem_printf("%s.away", path);
	rename(path, moved);
	ok(table_get(t, "a", &value) == ERR_OK,
	   "a file that vanishes leaves its content in use");
	table_free(&t);
	chmod(moved, 0666);
	free(spec);
	spec = mem_printf("aliases:%s", moved);
	t = table_open(spec, false, &faults);
	ok(table_get(t, "a", &value) == ERR_TEMP,
	   "a file that everybody can write is not used");
	table_free(&t);
	buf_free(&faults);
	buf_free(&value);
	free(moved);
	free(path);
	free(spec);
}

static void test_missing(void)
{
	char *aliases = mem_printf("aliases:%s/none", dir);
	char *hash = mem_printf("hash:%s/none", dir);
	struct buf faults, value;
	struct table *t;

	buf_init(&faults, 65536);
	buf_init(&value, TABLE_VALUE_MAX);
	t = table_open(aliases, false, &faults);
	ok(table_get(t, "a", &value) == ERR_UNSURE && faults.len,
	   "no alias file: a fault, and no name is unknown for certain");
	table_free(&t);
	t = table_open(hash, false, &faults);
	ok(table_get(t, "a", &value) == ERR_TEMP && faults.len,
	   "no hash file: a temporary error, and said so");
	table_free(&t);
	buf_free(&faults);
	buf_free(&value);
	free(aliases);
	free(hash);
}

/* A Berkeley DB handle must not be used by two processes. */
static void test_child(void)
{
	char *path = put_file("child", "a b\n");
	char *spec = mem_printf("hash:%s", path);
	struct table_built built;
	struct buf faults, value;
	struct table *t;
	int status = 1;

	buf_init(&faults, 65536);
	buf_init(&value, TABLE_VALUE_MAX);
	err_ignore(table_build(spec, TABLE_SOURCE_MAP, &built, &faults));
	t = table_open(spec, false, &faults);
	if (fork() == 0)
		_exit(table_get(t, "a", &value));
	wait(&status);
	ok(status == 0, "a child asks a table that its parent opened");
	ok(table_get(t, "a", &value) == ERR_OK, "and the parent does, too");
	table_free(&t);
	buf_free(&faults);
	buf_free(&value);
	free(path);
	free(spec);
}

static void test_limit(void)
{
	char *path = put_file("limit", "/^(a+)+$/ x\n");
	char *spec = mem_printf("pcre:%s", path);
	struct buf faults, value;
	struct table *t;

	buf_init(&faults, 65536);
	buf_init(&value, TABLE_VALUE_MAX);
	t = table_open(spec, false, &faults);
	ok(table_get(t, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", &value) ==
		   ERR_TEMP,
	   "an expression that explodes is a temporary error");
	table_free(&t);
	buf_free(&faults);
	buf_free(&value);
	free(path);
	free(spec);
}

#define VIRTUAL "inline:{ u@d=1, u+x@d=2, u=3, u+y=4, @d=5, only@d=6, {@e=7} }"

static const struct {
	const char *address;
	bool bare;
	const char *want;
	const char *extension;
} addresses[] = {
	{ "u@d", false, "1", "" },	     { "U@D", false, "1", "" },
	{ "u+x@d", false, "2", "" },	     { "u+z@d", false, "1", "z" },
	{ "u@other", true, "3", "" },	     { "u@other", false, NULL, "" },
	{ "u+y@other", true, "4", "" },	     { "u+q@other", true, "3", "q" },
	{ "nobody@d", false, "5", "" },	     { "no+ext@d", false, "5", "" },
	{ "only+a+b@d", false, "6", "a+b" }, { "x@e", true, "7", "" },
	{ "+x@e", true, "7", "" },	     { "nodomain", true, NULL, "" },
};

static void test_addresses(void)
{
	struct strlist specs = { 0 };
	struct table_list maps;
	struct buf faults, value;

	buf_init(&faults, 65536);
	buf_init(&value, TABLE_VALUE_MAX);
	strlist_add(&specs, VIRTUAL);
	ok(table_list_open(&maps, &specs, false, &faults), "maps open");
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		const char *extension;
		size_t n;
		char *ext;
		int err = lookup_virtual(&maps, addresses[i].address, "+",
					 addresses[i].bare, &value, &extension,
					 &n);

		ext = mem_strndup(extension, n);
		is(err ? NULL : value.data, addresses[i].want,
		   addresses[i].address);
		is(ext, addresses[i].extension, "its extension");
		free(ext);
	}
	table_list_free(&maps);
	strlist_free(&specs);
	buf_free(&faults);
	buf_free(&value);
}

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	log_open("test", "/dev/null");
	for (size_t i = 0; i < sizeof(lookups) / sizeof(lookups[0]); i++)
		test_lookup(i);
	for (size_t i = 0; i < sizeof(direct) / sizeof(direct[0]); i++)
		test_direct(i);
	for (size_t i = 0; i < sizeof(faulty) / sizeof(faulty[0]); i++)
		test_fault(i);
	for (size_t k = 0; k < sizeof(long_ones) / sizeof(long_ones[0]); k++)
		test_long(k);
	test_faulty_built();
	test_change();
	test_missing();
	test_child();
	test_limit();
	test_addresses();
	remove_dir();
	return done();
}
