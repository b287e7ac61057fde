/*
 * A journal that is mostly history is replaced by one with the current state.
 * The history that may still be needed is carried over: expunges, and keys of
 * deliveries that may come again.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "index/history.h"
#include "index/index.h"
#include "index/journal.h"
#include "index/mark.h"

#define JOURNAL_MIN (256 << 10)
#define DAY INT64_C(86400000000) /* microseconds */
#define KEY_MAX_AGE (10 * DAY)	 /* longer than a message waits in a queue */
#define PAST_MAX_AGE (60 * DAY)	 /* clients come back after a holiday */

/* What is carried over. */
struct carried {
	struct index *x;
	int64_t now;
	uint64_t *key;	 /* of each entry of the table */
	struct buf keys; /* struct record_key */
	struct buf lost; /* struct record_range: withdrawn, or missing */
	struct history past;
};

static void keep_key(struct carried *h, uint64_t key, uint32_t uid,
		     int64_t time)
{
	struct record_key k = { key, uid, time };
	struct entry *e = entries_get(&h->x->t, uid);

	if (key == 0 || time < h->now - KEY_MAX_AGE)
		return;
	if (e && !(e->state & ENTRY_GONE))
		h->key[e - h->x->t.memory] = key;
	else
		buf_put(&h->keys, &k, sizeof(k));
}

static void keep_add(struct carried *h, const struct record *r, const char *p,
		     size_t n)
{
	struct record_add a;
	uint32_t i;

	for (i = 0; i < r->count && record_add_next(&p, &n, &a); i++)
		keep_key(h, a.key, a.uid, (int64_t)a.saved * 1000000);
}

static void keep_item(struct carried *h, const struct record *r, const void *p)
{
	struct record_key k;

	if (r->type == RECORD_KEY) {
		memcpy(&k, p, sizeof(k));
		keep_key(h, k.key, (uint32_t)k.uid, k.time);
	} else {
		buf_put(&h->lost, p, sizeof(struct record_range));
	}
}

static void keep_record(struct carried *h, const struct record *r)
{
	static const size_t size[RECORD_TYPES] = {
		[RECORD_UNDO] = sizeof(struct record_range),
		[RECORD_MISSING] = sizeof(struct record_range),
		[RECORD_KEY] = sizeof(struct record_key),
	};
	size_t n, step = size[r->type];
	const char *p = record_payload(r, &n);
	uint32_t i;

	history_add(&h->past, r);
	if (r->type == RECORD_ADD)
		keep_add(h, r, p, n);
	if (step == 0)
		return;
	for (i = 0; i < r->count && n >= step; i++, p += step, n -= step)
		keep_item(h, r, p);
}

/* While files of expunged messages may still be there, all of the history may
 * be needed to judge them. */
static int read_history(struct carried *h)
{
	bool pending = mark_is_pending(&h->x->f.last);
	struct journal_walk w;
	const struct record *r;

	journal_walk(&w, h->x->f.journal, sizeof(struct journal_head));
	while ((r = journal_next(&w)))
		keep_record(h, r);
	history_bound(&h->past, h->now - PAST_MAX_AGE,
		      pending ? SIZE_MAX : HISTORY_MAX);
	return journal_walk_end(&w);
}

static int by_first(const void *a, const void *b)
{
	const struct record_range *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

/* Puts the N ranges in order and joins what overlaps; how many are left. */
static size_t join(struct record_range *r, size_t n)
{
	size_t to = 0;

	qsort(r, n, sizeof(*r), by_first);
	for (size_t i = 0; i < n; i++)
		if (to > 0 && r[i].first <= r[to - 1].last) {
			if (r[i].last > r[to - 1].last)
				r[to - 1].last = r[i].last;
		} else {
			r[to++] = r[i];
		}
	return to;
}

static int in_range(const void *uid, const void *range)
{
	const struct record_range *r = range;
	uint64_t u = *(const uint64_t *)uid;

	return (u > r->last) - (u < r->first);
}

/* What was withdrawn was never delivered, and what is missing perhaps not. */
static void forget_keys(struct carried *h)
{
	struct record_key *k = (struct record_key *)(void *)h->keys.data;
	struct record_range *r = (struct record_range *)(void *)h->lost.data;
	size_t nkeys = h->keys.len / sizeof(*k);
	size_t n = h->lost.len / sizeof(*r);

	if (n == 0)
		return;
	n = join(r, n);
	for (size_t i = 0; i < nkeys; i++) {
		uint64_t uid = k[i].uid;

		if (bsearch(&uid, r, n, sizeof(*r), in_range))
			k[i].key = 0;
	}
}

static void put_items(struct batch *b, enum record_type type,
		      const struct buf *items, size_t size)
{
	size_t at;

	for (at = 0; at + size <= items->len; at += size)
		batch_item(b, type, items->data + at, size);
}

/* The places of records in the former journal mean nothing in the new one. If
 * that cannot be read it is followed as one that another session made. */
static int note_again(struct index *x)
{
	struct journal_walk w;
	const struct record *r;
	off_t at = sizeof(struct journal_head);
	int code;

	buf_reset(&x->unsure);
	journal_walk(&w, x->f.journal, at);
	while ((r = journal_next(&w))) {
		index_note_unsure(x, r, at);
		at = w.at;
	}
	code = journal_walk_end(&w);
	x->behind = code != ERR_OK;
	return code;
}

/* What is to be in the new journal. If the former cannot all be read, it stays:
 * what only it knows would be lost. */
static int gather(struct carried *h, struct batch *b)
{
	int code = read_history(h);

	if (code)
		return code;
	forget_keys(h);
	b->t = folder_next(&h->x->f);
	code = index_state(h->x, b, h->key);
	history_put(&h->past, b);
	put_items(b, RECORD_KEY, &h->keys, sizeof(struct record_key));
	batch_close(b);
	return entries_are_broken(&h->x->t) ? ERR_CORRUPT : code;
}

int index_write_anew(struct index *x)
{
	struct carried h = { .x = x, .now = clock_wall_us() };
	struct batch b;
	int code;

	h.key = mem_array((size_t)x->t.n + 1, sizeof(*h.key));
	buf_init(&h.keys, UINT32_MAX);
	buf_init(&h.lost, UINT32_MAX);
	history_init(&h.past);
	batch_begin(&b, NULL, false);
	code = gather(&h, &b);
	if (!code)
		code = folder_replace_journal(&x->f, x->f.head.uidvalidity,
					      &b.buf, &b.t);
	if (!code) {
		x->read = x->f.end;
		x->snapshot = x->last = 0;
		if (x->unsure.len > 0)
			code = note_again(x);
	}
	batch_drop(&b);
	buf_free(&h.keys);
	buf_free(&h.lost);
	history_free(&h.past);
	free(h.key);
	return code;
}

/* About the size of a journal with only the current state. */
static off_t size_of_state(const struct index *x)
{
	return (off_t)(x->t.n - x->t.gone) * 160 + 4096;
}

/* The history is carried over and may be longer than the state: so a journal
 * must also have doubled since it was made. While files of expunged messages
 * may still be there it stays: only its records know the names that other
 * programs gave them. */
bool index_rotation_is_due(const struct index *x)
{
	return x->read >= JOURNAL_MIN && x->read >= 4 * size_of_state(x) &&
	       (uint64_t)x->read / 2 >= x->f.head.born &&
	       !mark_is_pending(&x->f.last);
}

void index_rotate(struct index *x)
{
	if (index_lock(x) != ERR_OK)
		return;
	/* Another may have done it; without it the old one goes on. */
	if (index_rotation_is_due(x) && x->unsure.len == 0)
		err_ignore(index_write_anew(x));
	index_unlock(x);
}
