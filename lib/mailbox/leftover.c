/*
 * A file that nobody knows is looked up in the journal: first which message it
 * was, by its name or by the UID in it, then whether that was expunged, and
 * whether its files were known to be gone after that. Times decide the rest.
 */
#include "mailbox/leftover.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "index/journal.h"
#include "index/mark.h"
#include "mailbox/finder.h"
#include "mailbox/opened.h"

static bool is_live(struct mailbox *m, uint32_t uid)
{
	const struct entry *e = index_get(&m->x, uid);

	return e && !(e->state & ENTRY_GONE);
}

/* What the journal says about a file. */
struct past {
	struct leftover_date *date;
	uint32_t uid;  /* of its message, 0 if none is known */
	bool taken;    /* that is another file's */
	uint64_t when; /* which record expunged it, 0: none */
};

static int by_base(const void *a, const void *b)
{
	const struct past *x = a, *y = b;

	return finder_by_base(&x->date->ref, &y->date->ref);
}

static int by_uid(const void *a, const void *b)
{
	const struct past *x = a, *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

/* The first of P[N] that is not below KEY. */
static size_t lower(const struct past *p, size_t n, const struct past *key,
		    int (*order)(const void *, const void *))
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (order(&p[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The message of the file REF has UID. P is sorted by name. */
static void set_uid(struct past *p, size_t n, const struct message_ref *ref,
		    uint32_t uid)
{
	struct leftover_date date = { .ref = *ref };
	const struct past key = { .date = &date };
	size_t i = lower(p, n, &key, by_base);

	for (; i < n && by_base(&p[i], &key) == 0; i++)
		p[i].uid = uid;
}

/* The same, for files that have UID in their names, and are others. P is sorted
 * by UID. */
static void take_uid(struct past *p, size_t n, const struct message_ref *ref,
		     uint32_t uid)
{
	const struct past key = { .uid = uid };
	size_t i = lower(p, n, &key, by_uid);

	for (; i < n && p[i].uid == uid; i++)
		if (finder_by_base(&p[i].date->ref, ref) != 0)
			p[i].taken = true;
}

typedef void add_use(struct past *p, size_t n, const struct message_ref *ref,
		     uint32_t uid);

static void each_added(const struct record *r, struct past *p, size_t count,
		       add_use *use)
{
	struct record_add a;
	size_t n;
	const char *at, *next = record_payload(r, &n);
	uint32_t i;

	for (i = 0; r->type == RECORD_ADD && i < r->count; i++) {
		at = next;
		if (!record_add_next(&next, &n, &a))
			return;
		use(p, count,
		    &(struct message_ref){ at + sizeof(a), a.nname, 0, 0,
					   NULL },
		    a.uid);
	}
}

/* Calls USE for each message that the journal adds. */
static int all_added(struct mailbox *m, struct past *p, size_t n, add_use *use)
{
	struct journal_walk w;
	const struct record *r;

	index_walk(&m->x, &w);
	while ((r = journal_next(&w)))
		each_added(r, p, n, use);
	return journal_walk_end(&w);
}

/* What R expunges of P[N], which is sorted by UID; it is the record WHEN. */
static void set_expunged(const struct record *r, struct past *p, size_t n,
			 uint64_t when)
{
	struct record_past item;
	uint32_t i;

	for (i = 0; record_expunged(r, i, &item); i++) {
		const struct past key = { .uid = item.first };
		size_t k = lower(p, n, &key, by_uid);

		for (; k < n && p[k].uid <= item.last; k++) {
			struct leftover_date *d = p[k].date;

			if (d->expunged == 0)
				d->expunged = item.time;
			d->busy = item.time;
			p[k].when = when;
		}
	}
}

/* The UIDs of files: of the records that have their names, else those in the
 * names, unless such a UID is another file's. */
static int find_uids(struct mailbox *m, struct past *p, size_t n)
{
	size_t i;
	int code;

	qsort(p, n, sizeof(*p), by_uid);
	code = all_added(m, p, n, take_uid);
	for (i = 0; i < n; i++)
		if (p[i].taken)
			p[i].uid = 0;
	qsort(p, n, sizeof(*p), by_base);
	return code ? code : all_added(m, p, n, set_uid);
}

/* *SETTLED is the number of the last record that says that files expunged until
 * then are gone for good. */
static int find_expunges(struct mailbox *m, struct past *p, size_t n,
			 uint64_t *settled)
{
	struct journal_walk w;
	const struct record *r;
	uint64_t number = 0;

	*settled = 0;
	qsort(p, n, sizeof(*p), by_uid);
	index_walk(&m->x, &w);
	while ((r = journal_next(&w))) {
		set_expunged(r, p, n, ++number);
		if (!mark_is_pending(&r->t))
			*settled = number;
	}
	return journal_walk_end(&w);
}

int leftover_find_dates(struct mailbox *m, struct leftover_date *date, size_t n)
{
	struct past *p = mem_array(n + 1, sizeof(*p));
	uint64_t settled;
	size_t i;
	int code;

	for (i = 0; i < n; i++) {
		date[i].expunged = date[i].busy = 0;
		p[i] = (struct past){ .date = &date[i], .uid = date[i].uid };
	}
	code = find_uids(m, p, n);
	if (!code)
		code = find_expunges(m, p, n, &settled);
	for (i = 0; !code && i < n; i++)
		if (p[i].when <= settled || is_live(m, p[i].uid))
			p[i].date->expunged = 0;
	free(p);
	return code;
}

static bool is_ours(const struct mailbox *m, const struct listing_file *file)
{
	return !index_is_recovering(&m->x) &&
	       file->validity == index_uidvalidity(&m->x);
}

static bool was_given(const struct mailbox *m, uint32_t uid)
{
	return uid < index_totals(&m->x)->uidnext;
}

int64_t leftover_busy_us = 10000000;

/* A time in the future means nothing. */
static bool is_recent(int64_t when)
{
	int64_t age = clock_wall_us() - when;

	return age >= 0 && age < leftover_busy_us;
}

uint32_t leftover_uid(const struct mailbox *m, const struct listing_file *file)
{
	return is_ours(m, file) && was_given(m, file->uid) ? file->uid : 0;
}

/* Was the file put here after WHEN? If it has changed since, one of its names
 * elsewhere may be why: a COPY by a former version, or a MOVE that was killed, is
 * the same file, which its flags rename and an expunge removes. So the time when
 * it was made decides; if that is not known, whether it has other names now. */
static bool put_since(const struct message_state *st, int64_t when)
{
	if (st->changed < when)
		return false;
	return st->born ? st->born >= when : !st->shared;
}

enum leftover left_of_expunge(struct mailbox *m,
			      const struct leftover_date *date,
			      const struct message_state *st)
{
	int64_t when = date->expunged;

	if (index_is_recovering(&m->x) || when == 0)
		return LEFT_NOT;
	if (st && !is_recent(index_totals(&m->x)->time) &&
	    put_since(st, index_totals(&m->x)->time))
		return LEFT_NOT;
	if (st && is_recent(date->busy))
		return LEFT_BUSY;
	return st && put_since(st, when) ? LEFT_NOT : LEFT_OVER;
}

bool left_of_delivery(struct mailbox *m, const struct listing_file *file,
		      const struct message_ref *ref, enum content *what)
{
	int fd;

	if (!is_ours(m, file) || file->size <= 0)
		return false;
	if (messages_open(index_messages(&m->x), ref, &fd) != ERR_OK ||
	    content_judge(fd, (uint32_t)file->size, NULL, CONTENT_ANY_TIME,
			  what) != ERR_OK)
		*what = CONTENT_RIGHT;
	if (fd >= 0)
		close(fd);
	return *what == CONTENT_EMPTY ||
	       (*what == CONTENT_TORN &&
		(!was_given(m, file->uid) || is_live(m, file->uid)));
}
