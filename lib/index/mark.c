#include "index/mark.h"

#define NO_TIME INT64_MAX /* below 0 if removals are pending */

int64_t mark_time(int64_t mark)
{
	if (mark < -INT64_MAX)
		mark++; /* nor is this one */
	return mark < 0 ? -mark : mark;
}

bool mark_has_time(int64_t mark)
{
	return mark != 0 && mark_time(mark) != NO_TIME;
}

int64_t mark_with(int64_t mark, int64_t time)
{
	return mark > 0 ? time : -time;
}

int64_t mark_without(int64_t mark)
{
	return mark_with(mark, NO_TIME);
}

void mark_first(struct totals *t)
{
	unsigned d;

	for (d = 0; d < DIRS; d++)
		t->mark[d] = NO_TIME;
}

bool mark_is_pending(const struct totals *t)
{
	return t->mark[DIR_NEW] <= 0 || t->mark[DIR_CUR] <= 0;
}

static int64_t time_or_none(int64_t mark)
{
	return mark == 0 ? NO_TIME : mark_time(mark);
}

void mark_expunge(struct totals *t)
{
	unsigned d;

	for (d = 0; d < DIRS; d++)
		t->mark[d] = -time_or_none(t->mark[d]);
}

void mark_removed(struct totals *t)
{
	unsigned d;

	for (d = 0; d < DIRS; d++)
		t->mark[d] = time_or_none(t->mark[d]);
}
