/* texthash: a file of lines "key value", held in memory. */
#include "base/arena.h"
#include "table/memory.h"
#include "table/text.h"
#include "table/type.h"

static void add_line(struct memory *m, const struct text_reading *r,
		     struct arena *a, struct text_lines *l, char *line)
{
	const char *unclear = l->fault, *large;
	char *key, *value;

	if (!unclear)
		unclear = text_pair(line, &key, &value);
	if (unclear) {
		text_unclear(r, l->line, unclear);
		return;
	}
	large = text_value_fault(value);
	unclear = large ? NULL : text_targets_fault(r, a, value);
	if (large)
		text_fault(r, l->line, large);
	if (unclear)
		text_unclear(r, l->line, unclear);
	if (!memory_add(m, key, large || unclear ? NULL : value))
		text_fault(r, l->line, "a duplicate key is left out");
}

static void *load(const struct text_reading *r)
{
	struct arena *arena;
	struct text_lines lines;
	struct memory *m;
	struct buf text;
	char *line;

	if (!text_read(r, &text))
		return NULL;
	m = memory_new();
	arena = arena_new();
	text_begin(&lines, text.data, text.len);
	while ((line = text_next(&lines)) != NULL) {
		add_line(m, r, arena, &lines, line);
		arena_reset(arena);
	}
	text_end(&lines);
	arena_free(&arena);
	buf_free(&text);
	return m;
}

const struct table_type table_texthash = {
	.name = "texthash",
	.help = "a text file of lines `key value', read into memory",
	.suffix = "",
	.flags = TABLE_FILE,
	.load = load,
	.get = memory_get,
	.free = memory_free,
};
