#include "queue-manager/backoff.h"

#include <stdlib.h>

#define SOON_S 2 /* first wait for a program of ours, then doubled */

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
