#include "mailbox/marks.h"

#include <string.h>
#include <time.h>

#include "index/mark.h"

/* No clock of a file system ticks more slowly, but those of whole seconds (ext4
 * with inodes of 128 bytes, as of an ext3) or two (FAT). Nanoseconds. */
#define RACY INT64_C(20000000)
#define SECOND INT64_C(1000000000)
#define RACY_SECONDS (2 * SECOND + RACY)

/* If our change took longer, the place is read, to find others' changes. */
#define SHORT INT64_C(500000)

static int64_t now_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void marks_begin(struct marks *k, struct messages *ms, unsigned dirs)
{
	k->dirs = dirs;
	k->begun = now_of(CLOCK_MONOTONIC);
	/* so they are read */
	if (messages_stamps(ms, dirs, k->before) != ERR_OK)
		memset(k->before, 0xff, sizeof(k->before));
}

/* May it come from a clock of seconds? By chance it does not, once in a tick. */
static bool is_whole(int64_t stamp)
{
	return stamp % SECOND == 0;
}

bool marks_is_old(int64_t stamp)
{
	return now_of(CLOCK_REALTIME) - stamp >=
	       (is_whole(stamp) ? RACY_SECONDS : RACY);
}

void marks_end(const struct marks *k, struct messages *ms, struct totals *t)
{
	int64_t stamp[DIRS];
	bool in_time, exact;
	unsigned d;

	/* nothing is recorded: they are read */
	if (messages_stamps(ms, k->dirs, stamp) != ERR_OK)
		return;
	in_time = now_of(CLOCK_MONOTONIC) - k->begun < SHORT;
	exact = messages_exact(ms);
	for (d = 0; d < DIRS; d++) {
		bool same = stamp[d] == k->before[d];
		bool tells = exact && !is_whole(stamp[d]);

		if (!(k->dirs & 1u << d) ||
		    mark_time(t->mark[d]) != k->before[d])
			continue;
		t->mark[d] = (same ? tells || marks_is_old(stamp[d])
				   : tells && in_time)
				     ? mark_with(t->mark[d], stamp[d])
				     : mark_without(t->mark[d]);
	}
}
