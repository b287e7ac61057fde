/*
 * Records that add messages and are not sure (disk.h): either the delivery is
 * under way, or it was killed, or the power was cut. In the first two cases
 * the file holds what was recorded; in the third it may hold anything, and
 * was promised to nobody. Looked at when a folder is opened, before anybody is
 * told of the messages; and before the records give place to a snapshot or to
 * a journal without them.
 */
#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "messages/content.h"
#include "index/journal.h"
#include "mailbox/opened.h"

/* A delivery syncs at once; what is older was left by one that died. */
#define UNDER_WAY_S 60

enum verdict {
	DONE,	 /* it is sure now, or gone */
	WAITING, /* right, or not to be judged now; not yet sure */
	BAD	 /* never promised, and not there */
};

/* With SYNC a right one is synced. */
static enum verdict look_at(struct mailbox *m, const struct unsure *u,
			    bool sync, enum content *what)
{
	struct entry *e = entries_get(&m->x.t, u->uid);
	enum verdict v = WAITING;
	struct message_ref ref;
	int fd;

	if (!e || e->state & ENTRY_GONE ||
	    journal_is_sure(m->x.f.journal, u->record))
		return DONE;
	if (!mailbox_ref(m, e, &ref) ||
	    messages_open(m->x.f.files, &ref, &fd) != ERR_OK)
		return WAITING; /* moved or removed: a scan will say */
	if (content_judge(fd, e->size, &u->content, what) != ERR_OK)
		v = WAITING;
	else if (*what == CONTENT_EMPTY || *what == CONTENT_TORN)
		v = BAD;
	else if (sync && fsync(fd) == 0)
		v = DONE;
	close(fd);
	return v;
}

/* Under the lock. What cannot be put aside is looked at again. */
static void take_back(struct mailbox *m, struct batch *b,
		      const struct unsure *u)
{
	struct record_range range = { u->uid, u->uid };
	const struct entry *e = entries_get(&m->x.t, u->uid);
	struct message_ref ref;

	if (!e || e->state & ENTRY_GONE || !mailbox_ref(m, e, &ref) ||
	    content_put_aside(m->x.f.files, &ref, u->what) != ERR_OK)
		return;
	totals_add(&b->t, e, -1);
	batch_item(b, RECORD_UNDO, &range, sizeof(range));
}

static void take_back_all(struct mailbox *m, const struct buf *bad)
{
	const struct unsure *u = (const void *)bad->data;
	size_t i, n = bad->len / sizeof(*u);
	struct batch b;
	int code = index_lock(&m->x);

	if (!code) {
		batch_begin(&b, &m->x.f, true);
		b.needed = true;
		for (i = 0; i < n; i++)
			take_back(m, &b, &u[i]);
		code = index_commit(&m->x, &b, false);
		index_unlock(&m->x);
	}
	/* Nobody is told of them, be the disk as full as it may. */
	for (i = 0; code && i < n; i++)
		entries_mark_gone(&m->x.t, entries_find(&m->x.t, u[i].uid));
}

/* Judges the N messages of one record; keeps in m->x.unsure what is neither
 * sure nor bad. */
static void prove_record(struct mailbox *m, const struct unsure *u, size_t n,
			 bool all, struct buf *bad)
{
	bool sync = all || u->saved + UNDER_WAY_S < clock_wall();
	size_t i, done = 0, kept = m->x.unsure.len;

	for (i = 0; i < n; i++) {
		struct unsure one = u[i];
		enum verdict v = look_at(m, &one, sync, &one.what);

		if (v == BAD)
			buf_put(bad, &one, sizeof(one));
		else
			buf_put(&m->x.unsure, &one, sizeof(one));
		done += v == DONE;
	}
	/* If it cannot be noted, all is looked at again. */
	if (done == n && folder_sync(&m->x.f) == ERR_OK &&
	    journal_make_sure(m->x.f.journal, u->record) == ERR_OK)
		buf_truncate(&m->x.unsure, kept);
}

bool mailbox_prove(struct mailbox *m, bool all)
{
	struct buf old = m->x.unsure, bad;
	const struct unsure *u = (const void *)old.data;
	size_t i, k, n = old.len / sizeof(*u);

	if (n == 0)
		return true;
	buf_init(&m->x.unsure, UINT32_MAX);
	buf_init(&bad, UINT32_MAX);
	for (i = 0; i < n; i = k) {
		for (k = i; k < n && u[k].record == u[i].record;)
			k++;
		prove_record(m, &u[i], k - i, all, &bad);
	}
	if (bad.len > 0)
		take_back_all(m, &bad);
	buf_free(&bad);
	buf_free(&old);
	return m->x.unsure.len == 0;
}
