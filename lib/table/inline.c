/*
 * inline: pairs in the configuration itself: {key=value, {key = some text}}.
 * An inner brace protects commas and white space.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "table/memory.h"
#include "table/type.h"

/* The closing brace that belongs to the opening one at P, or NULL. */
static char *closing(char *p)
{
	int depth = 0;

	for (; *p; p++) {
		if (*p == '{')
			depth++;
		else if (*p == '}' && --depth == 0)
			return p;
	}
	return NULL;
}

/* Takes the next item off *AT: a word, or the text in braces. */
static char *next_item(char **at)
{
	char *p = *at + strspn(*at, ", \t\r\n"), *end;

	if (*p == '\0')
		return NULL;
	if (*p == '{') {
		end = closing(p);
		if (!end)
			return NULL;
		p++;
	} else {
		end = p + strcspn(p, ", \t\r\n");
	}
	*at = *end ? end + 1 : end;
	*end = '\0';
	return p;
}

static bool add_item(struct memory *m, char *item)
{
	char *equals = strchr(item, '='), *key;

	if (!equals)
		return false;
	*equals = '\0';
	key = str_trim(item);
	return *key && memory_add(m, key, str_trim(equals + 1));
}

static void *load(const struct text_reading *r)
{
	struct memory *m = memory_new();
	char *copy = mem_strdup(r->path), *text = str_trim(copy), *item;
	char *end = *text == '{' ? closing(text) : NULL;
	bool good = end && end[1] == '\0';

	if (good) {
		*end = '\0';
		for (text++; good && (item = next_item(&text)) != NULL;)
			good = add_item(m, item);
		good = good && text[strspn(text, ", \t\r\n")] == '\0';
	}
	if (!good)
		buf_printf(r->faults,
			   "table inline:%s: expected { key=value, ... }, "
			   "each key once\n",
			   r->path);
	free(copy);
	if (!good) {
		memory_free(m);
		return NULL;
	}
	return m;
}

const struct table_type table_inline = {
	.name = "inline",
	.help = "pairs in the configuration: { key=value, { key = text } }",
	.suffix = "",
	.flags = 0,
	.load = load,
	.get = memory_get,
	.free = memory_free,
};
