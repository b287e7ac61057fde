/*
 * How long to wait after the Nth failure (from 1): minimal_backoff_time,
 * doubled each time up to maximal_backoff_time, and up to a quarter more by
 * chance, so that what failed together does not come back together. Where a
 * part of our own was not there (RESULT_SOON), the first waits are of seconds.
 */
#ifndef QUEUE_MANAGER_BACKOFF_H
#define QUEUE_MANAGER_BACKOFF_H

#include <stdbool.h>
#include <time.h>

#include "queue-manager/settings.h"

/* Seconds to wait. */
time_t backoff(const struct settings *s, unsigned n, bool soon);

#endif
