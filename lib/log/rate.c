#include "log/rate.h"

#include "base/clock.h"
#include "log/log.h"

#define WINDOW_MS 1000

bool log_rate_allows(struct log_rate *r, int most, const char *what)
{
	int64_t now = clock_ms(), since = atomic_load(&r->since_ms);
	int unsaid;

	/* of several processes one begins the next second */
	if (now - since >= WINDOW_MS &&
	    atomic_compare_exchange_strong(&r->since_ms, &since, now))
		atomic_store(&r->said, 0);
	if (atomic_fetch_add(&r->said, 1) >= most) {
		atomic_fetch_add(&r->unsaid, 1);
		return false;
	}
	unsaid = atomic_exchange(&r->unsaid, 0);
	if (unsaid)
		log_info("%s: %d more before that", what, unsaid);
	return true;
}
