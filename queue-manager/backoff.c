#include "queue-manager/backoff.h"

#include <stdlib.h>

#define SOON_S 2 /* the first wait for a part of our own, doubled each time */

static int64_t doubled(int64_t wait, int64_t most, unsigned n)
{
	while (n-- > 1 && wait < most)
		wait *= 2;
	return wait < most ? wait : most;
}

time_t backoff(const struct settings *s, unsigned n, bool soon)
{
	int64_t wait = doubled(s->minimal_backoff, s->maximal_backoff, n);
	int64_t first = soon ? doubled(SOON_S, wait, n) : wait;

	return (time_t)(first + random() % (first / 4 + 1));
}
