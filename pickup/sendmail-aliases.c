/*
 * newaliases: builds the databases of hash: and btree: tables from their
 * text. Others are read directly, so they are only checked.
 */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/err.h"
#include "pickup/sendmail.h"
#include "table/build.h"
#include "table/table.h"

/* Prints each line of TEXT: a warning, or why nothing was done. */
static void say(char *text, bool good)
{
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		sendmail_fail(EX_OK, "%s%s", good ? "warning: " : "", line);
}

/* Reads a table that has no database. False if it cannot be used. */
static bool check(const char *spec, struct buf *faults)
{
	struct table *t = table_open(spec, true, faults);
	struct buf value;
	bool good = false;

	if (t) {
		buf_init(&value, TABLE_VALUE_MAX);
		good = table_get(t, "postmaster", &value) != ERR_TEMP;
		buf_free(&value);
	}
	table_free(&t);
	return good;
}

static bool is_readable(const char *spec)
{
	const char *path = strchr(spec, ':');

	return !path || access(path + 1, R_OK) == 0;
}

/* Does what is necessary for one table; gives the exit status. */
static int renew(const char *spec)
{
	struct table_built built;
	struct buf faults;
	bool good;
	int err;

	buf_init(&faults, 1 << 20);
	err = table_build(spec, TABLE_SOURCE_ALIASES, &built, &faults);
	good = err == ERR_UNSUPPORTED ? check(spec, &faults) : err == ERR_OK;
	say(faults.data, good);
	buf_free(&faults);
	if (good)
		return EX_OK;
	return is_readable(spec) ? EX_DATAERR : EX_NOINPUT;
}

/* -oA names a file, with or without a type. */
static int renew_named(const struct sendmail *s)
{
	const char *name = s->options->aliases;

	return renew(strchr(name, ':')
			     ? name
			     : arena_printf(s->arena, "hash:%s", name));
}

int sendmail_aliases(struct sendmail *s)
{
	const struct strlist *maps = config_list(s->config, "alias_maps");
	int status = EX_OK;

	if (s->options->aliases)
		return renew_named(s);
	for (size_t i = 0; i < maps->n; i++) {
		int one = renew(maps->item[i]);

		if (one)
			status = one;
	}
	return status;
}
