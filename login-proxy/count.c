#include "login-proxy/count.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

struct count {
	unsigned n;
	char name[];
};

struct count *count_more(struct map *m, const char *name)
{
	struct count *c = map_get(m, name);
	size_t size = strlen(name) + 1;

	if (!c) {
		c = mem_alloc(sizeof(*c) + size);
		c->n = 0;
		memcpy(c->name, name, size);
		map_put(m, name, c);
	}
	c->n++;
	return c;
}

void count_less(struct map *m, struct count *c)
{
	if (--c->n > 0)
		return;
	map_remove(m, c->name);
	free(c);
}

unsigned count_of(const struct map *m, const char *name)
{
	const struct count *c = map_get(m, name);

	return c ? c->n : 0;
}
