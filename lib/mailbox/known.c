/*
 * The table of a folder that was opened anew is made into that of the session
 * that knew it. Messages that have gone since get their place back, without
 * anything but UID and number, as those have that another session expunged;
 * new ones wait behind the last one known; and those whose mod-sequence is
 * higher than what was told have changed.
 */
#include "mailbox/known.h"

#include "mailbox/opened.h"

#define GONE_MAX (1 << 20) /* more have not gone from a folder unseen */

void mailbox_known_init(struct mailbox_known *k, size_t max)
{
	*k = (struct mailbox_known){ .uidvalidity = 0 };
	buf_init(&k->uids, max * sizeof(struct mailbox_range));
	buf_init(&k->recent, max * sizeof(struct mailbox_range));
}

void mailbox_known_free(struct mailbox_known *k)
{
	buf_free(&k->uids);
	buf_free(&k->recent);
}

static const struct mailbox_range *ranges(const struct buf *b, size_t *n)
{
	*n = b->len / sizeof(struct mailbox_range);
	return (const void *)b->data;
}

/* Adds UID, the highest so far. */
static void put(struct buf *b, uint32_t uid)
{
	struct mailbox_range *end = (void *)(b->data + b->len);
	struct mailbox_range one = { uid, uid };

	if (b->len > 0 && end[-1].last + 1 == uid)
		end[-1].last = uid;
	else
		buf_put(b, &one, sizeof(one));
}

int mailbox_know(const struct mailbox *m, struct mailbox_known *k)
{
	buf_reset(&k->uids);
	buf_reset(&k->recent);
	k->uidvalidity = mailbox_uidvalidity(m);
	k->modseq = mailbox_reported(m);
	k->looked = m->looked;
	k->claimed = m->claimed;
	for (uint32_t i = 0; i < m->shown; i++) {
		const struct entry *e = index_at(&m->x, i);

		put(&k->uids, e->uid);
		if (e->state & ENTRY_RECENT)
			put(&k->recent, e->uid);
	}
	return k->uids.over || k->recent.over ? ERR_LIMIT : ERR_OK;
}

/* Ascending, apart, and of UIDs below NEXT? *COUNT: how many there are. */
static bool is_sound(const struct buf *b, uint32_t next, uint64_t *count)
{
	const struct mailbox_range *r;
	uint64_t above = 0;
	size_t n;

	*count = 0;
	if (b->over || b->len % sizeof(*r) != 0)
		return false;
	r = ranges(b, &n);
	for (size_t i = 0; i < n; i++) {
		if (r[i].first <= above || r[i].last < r[i].first ||
		    r[i].last >= next)
			return false;
		above = (uint64_t)r[i].last + 1;
		*count += r[i].last - r[i].first + 1;
	}
	return true;
}

/* How many of the table's messages are in R. */
static uint32_t count_present(const struct index *x,
			      const struct mailbox_range *r, size_t n)
{
	uint32_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += index_find(x, r[i].last + 1) -
			 index_find(x, r[i].first);
	return count;
}

/* Others have changed what has a higher mod-sequence than was reported. */
static void mark_changed(struct mailbox *m, uint64_t modseq)
{
	struct index *x = &m->x;

	if (modseq >= index_totals(x)->modseq)
		return;
	for (uint32_t i = 0; i < m->shown; i++)
		if (index_at(x, i)->modseq > modseq &&
		    !(index_at(x, i)->state & ENTRY_GONE))
			index_mark_changed(x, index_at(x, i));
}

static void mark_recent(struct mailbox *m, const struct mailbox_known *k)
{
	size_t n;
	const struct mailbox_range *r = ranges(&k->recent, &n);
	struct index *x = &m->x;

	if (m->read_only)
		m->claimed = k->claimed;
	if (n > 0)
		m->recent_from = r->first;
	for (; n > 0; n--, r++)
		for (uint32_t i = index_find(x, r->first);
		     i < index_count(x) && index_at(x, i)->uid <= r->last; i++)
			index_at(x, i)->state |= ENTRY_RECENT;
}

static int make_known(struct mailbox *m, const struct mailbox_known *k)
{
	struct index *x = &m->x;
	uint32_t next = mailbox_uidnext(m), present;
	uint64_t count, recent;
	size_t n;
	const struct mailbox_range *r = ranges(&k->uids, &n);

	if (mailbox_uidvalidity(m) != k->uidvalidity)
		return ERR_CORRUPT;
	if (k->modseq > k->looked || k->looked > index_totals(&m->x)->modseq ||
	    !is_sound(&k->uids, next, &count) ||
	    !is_sound(&k->recent, next, &recent))
		return ERR_SYNTAX;
	present = count_present(x, r, n);
	/* one that came back among them would shift the numbers of others */
	if (n > 0 && index_find(x, r[n - 1].last + 1) != present)
		return ERR_CORRUPT;
	if (count - present > GONE_MAX)
		return ERR_LIMIT;
	if (count > present &&
	    index_put_gone(x, (const void *)r, n, (uint32_t)(count - present),
			   k->modseq + 1) != ERR_OK)
		return ERR_LIMIT;
	m->shown = (uint32_t)count;
	m->reported = k->modseq;
	m->looked = k->looked;
	mark_changed(m, k->looked);
	mark_recent(m, k);
	mailbox_count_recent(m);
	return ERR_OK;
}

int mailbox_open_known(struct store *s, const char *name, bool read_only,
		       const struct mailbox_known *k, struct mailbox **m)
{
	int code = mailbox_open_unclaimed(s, name, read_only, m);

	if (code)
		return code;
	code = make_known(*m, k);
	if (code)
		mailbox_close(m);
	return code;
}
