/* aliases: the text of aliases(5), read into memory. */
#include "table/aliases.h"

#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/str.h"
#include "table/memory.h"
#include "table/text.h"
#include "table/type.h"

/* The colon after the name at P, outside quotes, or NULL. */
static char *find_colon(char *p)
{
	bool quoted = false;

	for (; *p; p++) {
		if (*p == '\\' && p[1])
			p++;
		else if (*p == '"')
			quoted = !quoted;
		else if (*p == ':' && !quoted)
			return p;
	}
	return NULL;
}

/* Removes the quotes around a name, in place. */
static void unquote_name(char *name)
{
	char *to = name;

	for (const char *p = name; *p; p++) {
		if (*p == '\\' && p[1])
			p++;
		else if (*p == '"')
			continue;
		*to++ = *p;
	}
	*to = '\0';
}

/* Splits "name: value" in place. NULL, or what is wrong with the name. */
static const char *split(char *line, char **name, char **value)
{
	char *colon = find_colon(line);

	if (!colon)
		return "expected: name: targets, with a colon between";
	*colon = '\0';
	*name = str_trim(line);
	*value = str_trim(colon + 1);
	if (**name != '"' && strpbrk(*name, " \t,;<>()"))
		return "the name holds white space or a special character";
	unquote_name(*name);
	if (**name == '\0')
		return "the name is empty";
	if (strchr(*name, '@'))
		return "the name of an alias has no domain (see "
		       "virtual_alias_maps for those that have)";
	return text_key_fault(*name);
}

static const char *check_value(struct arena *a, const char *value)
{
	struct alias_target *target;
	const char *why;
	size_t n;

	if (aliases_targets(a, value, &target, &n, &why))
		return why;
	return n == 0 ? "there is no target" : NULL;
}

void aliases_parse(const struct text_reading *r, const char *text, size_t n,
		   void (*entry)(void *context, const char *name,
				 const char *value, unsigned line),
		   void *context)
{
	struct arena *arena = arena_new();
	struct text_lines lines;
	char *line;

	text_begin(&lines, text, n);
	while ((line = text_next(&lines)) != NULL) {
		const char *why = lines.fault, *large = NULL;
		char *name, *value;

		if (!why)
			why = split(line, &name, &value);
		if (!why) {
			arena_reset(arena);
			large = text_value_fault(value);
			why = large ? NULL : check_value(arena, value);
			entry(context, name, large || why ? NULL : value,
			      lines.line);
		}
		if (large)
			text_fault(r, lines.line, large);
		if (why)
			text_unclear(r, lines.line, why);
	}
	text_end(&lines);
	arena_free(&arena);
}

struct loading {
	struct memory *memory;
	const struct text_reading *reading;
};

static void add(void *context, const char *name, const char *value,
		unsigned line)
{
	struct loading *l = context;

	if (!memory_add(l->memory, name, value))
		text_fault(l->reading, line, "the alias is there already");
}

/* Anyone who can write the file can run commands with it. */
static bool is_safe(const char *path, struct buf *faults)
{
	struct stat st;

	if (stat(path, &st) == 0 && (st.st_mode & S_IWOTH)) {
		buf_printf(faults, "%s: is writable by everybody\n", path);
		return false;
	}
	return true;
}

static void *load(const struct text_reading *r)
{
	struct loading l = { .reading = r };
	struct buf text;

	if (!is_safe(r->path, r->faults) || !text_read(r, &text))
		return NULL;
	l.memory = memory_new();
	aliases_parse(r, text.data, text.len, add, &l);
	buf_free(&text);
	return l.memory;
}

const struct table_type table_aliases = {
	.name = "aliases",
	.help = "the text of aliases(5), read into memory",
	.suffix = "",
	.flags = TABLE_FILE | TABLE_MAY_LACK,
	.load = load,
	.get = memory_get,
	.free = memory_free,
};
