/*
 * A journal that is mostly past gives place to one that holds the state. The
 * history that others may still ask for goes along: expunges, and keys of
 * deliveries that may come again.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "mailbox/journal.h"
#include "mailbox/session.h"

#define JOURNAL_MIN (256 << 10)
#define DAY INT64_C(86400000000) /* microseconds */
#define KEY_MAX_AGE (10 * DAY)	 /* longer than a message waits in a queue */
#define PAST_MAX_AGE (60 * DAY)	 /* clients come back after a holiday */

struct history {
	struct mailbox *m;
	int64_t now;
	uint64_t *key;	 /* of each entry of the table */
	struct buf keys; /* struct record_key */
	struct buf past; /* struct record_past */
};

static void keep_key(struct history *h, uint64_t key, uint32_t uid,
		     int64_t time)
{
	struct record_key k = { key, uid, time };
	struct entry *e = entries_get(&h->m->t, uid);

	if (key == 0 || time < h->now - KEY_MAX_AGE)
		return;
	if (e && !(e->state & ENTRY_GONE))
		h->key[e - h->m->t.entry] = key;
	else
		buf_put(&h->keys, &k, sizeof(k));
}

static void keep_add(struct history *h, const struct record *r, const char *p,
		     size_t n)
{
	uint32_t i;

	for (i = 0; i < r->count && n >= sizeof(struct record_add); i++) {
		struct record_add a;
		size_t step;

		memcpy(&a, p, sizeof(a));
		step = sizeof(a) + ((size_t)a.nname + 7) / 8 * 8;
		if (step > n)
			return;
		keep_key(h, a.key, a.uid, a.saved * 1000000);
		p += step;
		n -= step;
	}
}

/* What was taken back was never delivered. */
static void forget_keys(struct history *h, const struct record_range *range)
{
	struct record_key *k = (struct record_key *)(void *)h->keys.data;
	size_t i, n = h->keys.len / sizeof(*k);

	for (i = n; i-- > 0 && n - i < 64;)
		if (k[i].uid >= range->first && k[i].uid <= range->last)
			k[i].key = 0;
}

static void keep_item(struct history *h, const struct record *r, const void *p)
{
	struct record_range range;
	struct record_past past;
	struct record_key k;

	switch (r->type) {
	case RECORD_MISSING:
		memcpy(&range, p, sizeof(range));
		forget_keys(h, &range);
		__attribute__((fallthrough));
	case RECORD_EXPUNGE:
		memcpy(&range, p, sizeof(range));
		past = (struct record_past){ range.first, range.last,
					     r->t.modseq, r->t.time };
		if (past.time > h->now - PAST_MAX_AGE)
			buf_put(&h->past, &past, sizeof(past));
		break;
	case RECORD_UNDO:
		memcpy(&range, p, sizeof(range));
		forget_keys(h, &range);
		break;
	case RECORD_PAST:
		memcpy(&past, p, sizeof(past));
		if (past.time > h->now - PAST_MAX_AGE)
			buf_put(&h->past, &past, sizeof(past));
		break;
	case RECORD_KEY:
		memcpy(&k, p, sizeof(k));
		keep_key(h, k.key, (uint32_t)k.uid, k.time);
		break;
	default:
		break;
	}
}

static void keep_record(struct history *h, const struct record *r)
{
	static const size_t size[RECORD_TYPES] = {
		[RECORD_EXPUNGE] = sizeof(struct record_range),
		[RECORD_UNDO] = sizeof(struct record_range),
		[RECORD_MISSING] = sizeof(struct record_range),
		[RECORD_PAST] = sizeof(struct record_past),
		[RECORD_KEY] = sizeof(struct record_key),
	};
	size_t n, step = size[r->type];
	const char *p = record_payload(r, &n);
	uint32_t i;

	if (r->type == RECORD_ADD)
		keep_add(h, r, p, n);
	if (step == 0)
		return;
	for (i = 0; i < r->count && n >= step; i++, p += step, n -= step)
		keep_item(h, r, p);
}

static void read_history(struct history *h)
{
	struct journal_walk w;
	const struct record *r;
	int code;

	journal_walk(&w, h->m->f.journal, sizeof(struct journal_head));
	while ((r = journal_next(&w, &code)))
		keep_record(h, r);
	journal_walk_end(&w);
}

static void put_items(struct batch *b, enum record_type type,
		      const struct buf *items, size_t size)
{
	size_t at;

	for (at = 0; at + size <= items->len; at += size)
		batch_item(b, type, items->data + at, size);
}

static void rotate(struct mailbox *m)
{
	struct history h = { .m = m, .now = clock_wall_us() };
	struct batch b;

	h.key = mem_array((size_t)m->t.n + 1, sizeof(*h.key));
	buf_init(&h.keys, UINT32_MAX);
	buf_init(&h.past, UINT32_MAX);
	read_history(&h);
	batch_begin(&b, NULL, false);
	b.t = folder_next(&m->f);
	session_state(m, &b, h.key);
	put_items(&b, RECORD_PAST, &h.past, sizeof(struct record_past));
	put_items(&b, RECORD_KEY, &h.keys, sizeof(struct record_key));
	batch_close(&b);
	if (folder_replace_journal(&m->f, m->f.head.uidvalidity, &b.buf,
				   &b.t) == ERR_OK) {
		m->read = m->f.end;
		m->snapshot = 0;
	}
	batch_end(&b);
	buf_free(&h.keys);
	buf_free(&h.past);
	free(h.key);
}

/* What a journal of the present state alone would take, about. */
static off_t size_of_state(const struct mailbox *m)
{
	return (off_t)(m->t.n - m->t.gone) * 160 + 4096;
}

static bool is_due(const struct mailbox *m)
{
	return m->read >= JOURNAL_MIN && m->read >= 4 * size_of_state(m);
}

void session_rotate(struct mailbox *m)
{
	if (!is_due(m) || session_lock(m) != ERR_OK)
		return;
	if (is_due(m))
		rotate(m);
	session_unlock(m);
}
