/*
 * Which UIDs are no more: what the journal's history says of expunges, less
 * what is in the folder now.
 */
#include <stdlib.h>

#include "mailbox/opened.h"

static int by_first(const void *a, const void *b)
{
	const struct record_range *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* Appends FIRST to LAST, unless that is empty; what is before is lower. */
static void put(struct buf *ranges, uint64_t first, uint64_t last)
{
	struct mailbox_range r = { (uint32_t)first, (uint32_t)last };
	struct mailbox_range *end =
		(struct mailbox_range *)(void *)(ranges->data + ranges->len);

	if (first > last)
		return;
	if (ranges->len > 0 && (uint64_t)end[-1].last + 1 == first)
		end[-1].last = r.last;
	else
		buf_put(ranges, &r, sizeof(r));
}

/* Appends the UIDs FROM to TO that are not in the folder. A message that is
 * gone and was not yet reported is there. */
static void put_missing(const struct mailbox *m, struct buf *ranges,
			uint64_t from, uint64_t to)
{
	uint32_t i = index_find(&m->x, (uint32_t)from);

	for (; i < m->shown && index_at(&m->x, i)->uid <= to; i++) {
		uint32_t uid = index_at(&m->x, i)->uid;

		put(ranges, from, (uint64_t)uid - 1);
		from = (uint64_t)uid + 1;
	}
	put(ranges, from, to);
}

void mailbox_vanished(const struct mailbox *m, uint64_t since,
		      struct buf *ranges)
{
	const uint64_t last = (uint64_t)mailbox_uidnext(m) - 1;
	struct record_range *r;
	uint64_t next = 1;
	struct buf past;
	size_t i, n;

	buf_init(&past, UINT32_MAX);
	if (!index_history(&m->x, since, &past)) {
		buf_reset(&past);
		put(&past, 1, last);
	}
	n = past.len / sizeof(*r);
	r = (struct record_range *)(void *)past.data;
	qsort(r, n, sizeof(*r), by_first);
	for (i = 0; i < n; i++) {
		uint64_t from = r[i].first > next ? r[i].first : next;
		uint64_t to = r[i].last < last ? r[i].last : last;

		if (from > to)
			continue;
		put_missing(m, ranges, from, to);
		next = to + 1;
	}
	buf_free(&past);
}
