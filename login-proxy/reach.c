#include "login-proxy/reach.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "log/log.h"

struct reach {
	unsigned trying;
	bool down;
	char name[];
};

static struct {
	struct map *hosts; /* that are down, or tried */
} self;

void reach_setup(void)
{
	self.hosts = map_new();
}

struct reach *reach_begin(const char *name)
{
	struct reach *r = map_get(self.hosts, name);
	size_t size = strlen(name) + 1;

	if (r && r->down && r->trying > 0)
		return NULL;
	if (!r) {
		r = mem_alloc(sizeof(*r) + size);
		r->trying = 0;
		r->down = false;
		memcpy(r->name, name, size);
		map_put(self.hosts, name, r);
	}
	r->trying++;
	return r;
}

void reach_cancel(struct reach *r)
{
	if (--r->trying > 0 || r->down)
		return;
	map_remove(self.hosts, r->name);
	free(r);
}

void reach_end(struct reach *r, bool answered)
{
	if (r->down && answered)
		log_info("%s can be reached again", r->name);
	r->down = !answered;
	reach_cancel(r);
}
