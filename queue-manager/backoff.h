/*
 * How long to wait after the Nth failure (from 1): minimal_backoff_time,
 * doubled each time up to maximal_backoff_time, and up to a quarter more by
 * chance, so that what failed together does not come back together.
 */
#ifndef BACKOFF_H
#define BACKOFF_H

#include <time.h>

#include "queue-manager/settings.h"

time_t backoff(const struct settings *s, unsigned n);

#endif
