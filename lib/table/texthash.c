/* texthash: a file of lines "key value", held in memory. */
#include "table/memory.h"
#include "table/text.h"
#include "table/type.h"

static void add_line(struct memory *m, const char *path, struct text_lines *l,
		     char *line, struct buf *faults)
{
	const char *why;
	char *key, *value;

	if (!text_pair(line, &key, &value)) {
		buf_printf(faults, "%s:%u: expected: key value\n", path,
			   l->line);
		return;
	}
	why = text_value_fault(value);
	if (why)
		buf_printf(faults, "%s:%u: %s\n", path, l->line, why);
	if (!memory_add(m, key, why ? NULL : value))
		buf_printf(faults, "%s:%u: a duplicate key is left out\n",
			   path, l->line);
}

static void *load(const char *path, struct buf *faults)
{
	struct text_lines lines;
	struct memory *m;
	struct buf text;
	char *line;

	if (!text_read(path, &text, faults))
		return NULL;
	m = memory_new();
	text_begin(&lines, text.data, text.len);
	while ((line = text_next(&lines)) != NULL)
		add_line(m, path, &lines, line, faults);
	text_end(&lines);
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
