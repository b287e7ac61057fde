#include "queue-manager/backoff.h"

#include <stdlib.h>

time_t backoff(const struct settings *s, unsigned n)
{
	int64_t wait = s->minimal_backoff;

	while (n-- > 1 && wait < s->maximal_backoff)
		wait *= 2;
	if (wait > s->maximal_backoff)
		wait = s->maximal_backoff;
	return (time_t)(wait + random() % (wait / 4 + 1));
}
