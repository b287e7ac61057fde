/* static: one value for every key. */
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "table/type.h"

static void *load(const struct text_reading *r)
{
	if (*r->path == '\0') {
		buf_puts(r->faults, "table static: has no value\n");
		return NULL;
	}
	return mem_strdup(r->path);
}

static int get(void *content, const char *key, struct buf *value)
{
	(void)key;
	buf_puts(value, content);
	return ERR_OK;
}

const struct table_type table_static = {
	.name = "static",
	.help = "the name itself is the value of every key",
	.suffix = "",
	.flags = TABLE_PATTERN,
	.load = load,
	.get = get,
	.free = free,
};
