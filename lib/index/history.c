#include "index/history.h"

#include <stdlib.h>
#include <string.h>

#include "index/journal.h"

void history_init(struct history *h)
{
	buf_init(&h->past, UINT32_MAX);
	h->reach = 0;
}

void history_free(struct history *h)
{
	buf_free(&h->past);
}

bool history_is_reach(const struct record_past *p)
{
	return p->first > p->last;
}

/* Item I of R, which tells of an expunge. False: there is none. */
static bool item_of(const struct record *r, uint32_t i, struct record_past *p)
{
	bool past = r->type == RECORD_PAST;
	size_t n, step = past ? sizeof(*p) : sizeof(struct record_range);
	const char *items = record_payload(r, &n);

	if (!past && r->type != RECORD_EXPUNGE && r->type != RECORD_MISSING)
		return false;
	if (i >= r->count || i >= n / step)
		return false;
	*p = (struct record_past){ .modseq = r->t.modseq, .time = r->t.time };
	memcpy(p, items + i * step, step);
	return true;
}

void history_add(struct history *h, const struct record *r)
{
	struct record_past p;
	uint32_t i;

	if (r->type == RECORD_BEGIN)
		h->reach = r->t.modseq;
	for (i = 0; item_of(r, i, &p); i++)
		if (history_is_reach(&p))
			h->reach = p.modseq;
		else
			buf_put(&h->past, &p, sizeof(p));
}

static struct record_past *items_of(struct history *h, size_t *n)
{
	*n = h->past.len / sizeof(struct record_past);
	return (struct record_past *)(void *)h->past.data;
}

static int by_first(const void *a, const void *b)
{
	const struct record_past *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

static int by_modseq(const void *a, const void *b)
{
	const struct record_past *x = a, *y = b;

	if (x->modseq != y->modseq)
		return x->modseq < y->modseq ? -1 : 1;
	return by_first(a, b);
}

/* Joins P to LAST if it lies beside it or overlaps. */
static bool joins(struct record_past *last, const struct record_past *p)
{
	if (p->first > last->last && p->first - last->last > 1)
		return false;
	if (p->last > last->last)
		last->last = p->last;
	if (p->modseq > last->modseq)
		last->modseq = p->modseq;
	if (p->time > last->time)
		last->time = p->time;
	return true;
}

/* ALL: whatever their mod-sequences are. */
static void join(struct history *h, bool all)
{
	size_t i, n, to = 0;
	struct record_past *p = items_of(h, &n);

	if (n == 0)
		return;
	qsort(p, n, sizeof(*p), all ? by_first : by_modseq);
	for (i = 1; i < n; i++)
		if ((!all && p[i].modseq != p[to].modseq) ||
		    !joins(&p[to], &p[i]))
			p[++to] = p[i];
	buf_truncate(&h->past, (to + 1) * sizeof(*p));
}

/* Forgets the first N. */
static void forget(struct history *h, size_t n)
{
	const struct record_past *p = items_of(h, &(size_t){ 0 });

	if (n == 0)
		return;
	if (p[n - 1].modseq > h->reach)
		h->reach = p[n - 1].modseq;
	buf_consume(&h->past, n * sizeof(*p));
}

void history_bound(struct history *h, int64_t oldest, size_t max)
{
	const struct record_past *p;
	size_t n, old = 0;

	join(h, false);
	items_of(h, &n);
	if (n > max)
		join(h, true);
	p = items_of(h, &n);
	qsort(h->past.data, n, sizeof(*p), by_modseq);
	if (n > max)
		old = n - max;
	while (old < n && (p[old].time <= oldest ||
			   (old > 0 && p[old].modseq == p[old - 1].modseq)))
		old++;
	forget(h, old);
}

/* Former versions ignore the item for the reach, and drop it by its time when
 * they drop the oldest of the others: then nothing says that they reach so far
 * back any more. */
void history_put(const struct history *h, struct batch *b)
{
	struct record_past reach = { .first = UINT32_MAX,
				     .modseq = h->reach,
				     .time = b->t.time };
	size_t at;

	for (at = 0; at + sizeof(reach) <= h->past.len; at += sizeof(reach)) {
		struct record_past p;

		memcpy(&p, h->past.data + at, sizeof(p));
		if (p.time < reach.time)
			reach.time = p.time;
	}
	/* else the first record says so */
	if (h->reach < b->t.modseq)
		batch_item(b, RECORD_PAST, &reach, sizeof(reach));
	for (at = 0; at + sizeof(reach) <= h->past.len; at += sizeof(reach))
		batch_item(b, RECORD_PAST, h->past.data + at, sizeof(reach));
}

/* The items of R that are later than SINCE. True: the history reaches back to
 * here and no further, that is to *REACH. */
static bool take(const struct record *r, uint64_t since, struct buf *ranges,
		 uint64_t *reach)
{
	struct record_past p;
	bool ends = false;
	uint32_t i;

	for (i = 0; item_of(r, i, &p); i++) {
		struct record_range range = { p.first, p.last };

		if (history_is_reach(&p)) {
			*reach = p.modseq;
			ends = true;
		} else if (p.modseq > since) {
			buf_put(ranges, &range, sizeof(range));
		}
	}
	return ends;
}

bool history_since(int journal, off_t end, uint64_t since, struct buf *ranges)
{
	uint64_t reach = UINT64_MAX;
	const struct record *r;
	struct journal_back w;

	journal_back(&w, journal, end);
	while ((r = journal_back_next(&w))) {
		/* mod-sequences never decrease along the journal */
		if (r->t.modseq <= since)
			reach = r->t.modseq;
		if (reach <= since || take(r, since, ranges, &reach))
			break;
	}
	return journal_back_end(&w) == ERR_OK && reach <= since;
}
