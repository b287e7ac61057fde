#include "accountd/recent.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"

#define SWEEP_MIN 1024

static struct {
	int64_t delay_ms;
	struct map *users; /* when, in milliseconds */
	size_t sweep;	   /* at so many, those who need not wait are dropped */
} self;

void recent_begin(int64_t delay_ms)
{
	self.delay_ms = delay_ms;
	if (!self.users)
		self.users = map_new();
	self.sweep = SWEEP_MIN;
}

int64_t recent_wait(const char *user, int64_t now_ms)
{
	const int64_t *when =
		self.delay_ms > 0 ? map_get(self.users, user) : NULL;
	int64_t left = when ? *when + self.delay_ms - now_ms : 0;

	return left > 0 ? left : 0;
}

static void sweep(int64_t now_ms)
{
	const char *user;
	size_t pos = 0;
	void *when;

	while ((user = map_next(self.users, &pos, &when)))
		if (*(int64_t *)when + self.delay_ms <= now_ms)
			free(map_remove(self.users, user));
	self.sweep = 2 * map_count(self.users) + SWEEP_MIN;
}

void recent_note(const char *user, int64_t now_ms)
{
	int64_t *when;

	if (self.delay_ms <= 0)
		return;
	if (map_count(self.users) >= self.sweep)
		sweep(now_ms);
	when = mem_alloc(sizeof(*when));
	*when = now_ms;
	free(map_put(self.users, user, when));
}
