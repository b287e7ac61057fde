/*
 * How long to wait after the Nth failure (from 1): minimal_backoff_time,
 * doubled each time up to maximal_backoff_time, and up to a random quarter
 * more, so that messages that failed together are not retried together. If one
 * of our own programs was not available (RESULT_SOON), the first waits are
 * only seconds.
 */
#ifndef QUEUE_MANAGER_BACKOFF_H
#define QUEUE_MANAGER_BACKOFF_H

#include <stdbool.h>
#include <time.h>

#include "queue-manager/settings.h"

/* Seconds to wait. */
time_t backoff(const struct settings *s, unsigned n, bool soon);

#endif
