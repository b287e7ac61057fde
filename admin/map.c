/* posthorn map: building tables and asking them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "admin/admin.h"
#include "base/err.h"
#include "table/build.h"
#include "table/table.h"

static const char help[] =
	"usage: posthorn map TYPE:PATH …        build the database from PATH\n"
	"       posthorn map -a TYPE:PATH …     the same, PATH has aliases(5)\n"
	"       posthorn map -q KEY TYPE:NAME   what does the table say of "
	"KEY\n"
	"\nExit code of -q: 0 found, 1 not found, 75 the table cannot be "
	"read.\n\nTypes:\n";

static void print_help(FILE *to)
{
	struct buf types;

	buf_init(&types, 65536);
	table_types(&types);
	fprintf(to, "%s%s", help, types.data);
	buf_free(&types);
}

/* The lines of FAULTS. */
static void say(const struct buf *faults)
{
	const char *p = faults->len ? faults->data : "";

	for (size_t n; *p; p += n + (p[n] == '\n')) {
		n = strcspn(p, "\n");
		admin_fail(EX_OK, "%.*s", (int)n, p);
	}
}

static bool is_in(const struct admin *a, const char *param, const char *spec)
{
	const struct strlist *specs = config_list(a->config, param);

	for (size_t i = 0; i < specs->n; i++)
		if (str_equal(specs->item[i], spec))
			return true;
	return false;
}

static int build(const struct admin *a, const char *spec,
		 enum table_source source)
{
	struct table_built built;
	struct buf faults;
	int err;

	if (str_ends_ci(spec, ":"))
		return admin_fail(EX_USAGE, "%s: there is no path", spec);
	if (source == TABLE_SOURCE_MAP && is_in(a, "alias_maps", spec))
		return admin_fail(EX_USAGE,
				  "%s: is in alias_maps, and so its text is "
				  "aliases(5): use map -a, or newaliases",
				  spec);
	if (source == TABLE_SOURCE_MAP && is_in(a, "virtual_alias_maps", spec))
		source = TABLE_SOURCE_TARGETS;
	buf_init(&faults, 1 << 20);
	err = table_build(spec, source, &built, &faults);
	say(&faults);
	buf_free(&faults);
	if (err == ERR_UNSUPPORTED)
		return admin_fail(EX_USAGE,
				  "%s: only hash: and btree: tables are "
				  "built",
				  spec);
	if (err)
		return access(strchr(spec, ':') + 1, R_OK) < 0 ? EX_NOINPUT
							       : EX_DATAERR;
	printf("%s: %zu entries\n", spec, built.entries);
	return EX_OK;
}

static int ask(const char *key, const char *spec)
{
	struct buf faults, value;
	struct table *t;
	int err;

	buf_init(&faults, 1 << 20);
	buf_init(&value, TABLE_VALUE_MAX);
	t = table_open(spec, false, &faults);
	say(&faults);
	if (!t)
		return EX_USAGE;
	err = table_get(t, key, &value);
	if (err == ERR_OK)
		puts(value.data);
	table_free(&t);
	return err == ERR_OK ? EX_OK : err == ERR_NOT_FOUND ? 1 : EX_TEMPFAIL;
}

int admin_map(const struct admin *a)
{
	enum table_source source = TABLE_SOURCE_MAP;
	int i = 0, status = EX_OK;

	if (a->help) {
		print_help(stdout);
		return EX_OK;
	}
	if (a->argc == 3 && strcmp(a->argv[0], "-q") == 0)
		return ask(a->argv[1], a->argv[2]);
	if (a->argc > 0 && strcmp(a->argv[0], "-a") == 0) {
		source = TABLE_SOURCE_ALIASES;
		i = 1;
	}
	if (i >= a->argc || a->argv[i][0] == '-') {
		print_help(stderr);
		return EX_USAGE;
	}
	for (; i < a->argc; i++) {
		int one = build(a, a->argv[i], source);

		if (one != EX_OK)
			status = one;
	}
	return status;
}
