#include "table/memory.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>

struct memory {
	struct arena *arena;
	struct map *map; /* values: strings in the arena */
};

/* The value in the map of an entry that could not be understood. */
static char faulty[] = "";

struct memory *memory_new(void)
{
	struct memory *m = mem_alloc(sizeof(*m));

	m->arena = arena_new();
	m->map = map_new();
	return m;
}

void memory_free(void *memory)
{
	struct memory *m = memory;

	map_free(&m->map);
	arena_free(&m->arena);
	free(m);
}

bool memory_add(struct memory *m, const char *key, const char *value)
{
	char *folded = str_lower(mem_strdup(key));
	bool fresh = !map_get(m->map, folded);

	if (fresh)
		map_put(m->map, folded,
			value ? arena_strdup(m->arena, value) : faulty);
	free(folded);
	return fresh;
}

int memory_get(void *memory, const char *key, struct buf *value)
{
	struct memory *m = memory;
	const char *found = map_get(m->map, key);

	if (!found)
		return ERR_NOT_FOUND;
	if (found == faulty) {
		buf_puts(value, "the entry is faulty");
		return ERR_TEMP;
	}
	buf_puts(value, found);
	return ERR_OK;
}
