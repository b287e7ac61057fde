/*
 * Records that add messages and are not sure (disk.h): either the delivery is
 * in progress, or it was killed, or the power was cut. In the first two cases
 * the file holds what was recorded; in the third it may hold anything, and was
 * never promised. Before anybody is told of such a message, and before its
 * record is replaced by a snapshot or a journal without it, the message is
 * examined and made durable, including its name: the delivery may die before
 * it does that, and what a client knows by its UID must stay.
 */
#include <fcntl.h>
#include <unistd.h>

#include "base/err.h"
#include "messages/content.h"
#include "index/journal.h"
#include "mailbox/opened.h"

enum verdict {
	DONE,	 /* it is sure now, or gone */
	WAITING, /* right, or cannot be judged now; not yet sure */
	BAD	 /* never promised, and not there */
};

/* A message whose content is not recorded was made durable before it got its
 * name here, or is from another program: it only has to be there. */
static enum verdict is_named(struct mailbox *m, const struct message_ref *ref)
{
	struct message_state st;

	return messages_state(index_messages(&m->x), ref, &st) == ERR_OK
		       ? DONE
		       : WAITING;
}

/* A right one is synced. */
static enum verdict look_into(struct mailbox *m, const struct entry *e,
			      const struct message_ref *ref, struct unsure *u)
{
	enum verdict v = WAITING;
	int fd;

	if (messages_open(index_messages(&m->x), ref, &fd) != ERR_OK)
		return WAITING;
	if (content_judge(fd, e->size, &u->content, u->ours, &u->what) !=
	    ERR_OK)
		v = WAITING;
	else if (u->what == CONTENT_EMPTY || u->what == CONTENT_TORN)
		v = BAD;
	else if (fsync(fd) == 0)
		v = DONE;
	close(fd);
	return v;
}

static enum verdict look_at(struct mailbox *m, struct unsure *u)
{
	struct entry *e = index_get(&m->x, u->uid);
	struct message_ref ref;
	enum verdict v;

	if (!e || e->state & ENTRY_GONE)
		return DONE;
	if (!mailbox_ref(m, e, &ref))
		return WAITING;
	v = u->known ? look_into(m, e, &ref, u) : is_named(m, &ref);
	if (v == WAITING) /* moved, removed or never named: see a scan */
		index_suspect(&m->x);
	return v;
}

/* Under the lock. What cannot be put aside is examined again. What is sure now
 * was promised. */
static void take_back(struct mailbox *m, struct batch *b,
		      const struct unsure *u)
{
	struct record_range range = { u->uid, u->uid };
	const struct entry *e = index_get(&m->x, u->uid);
	struct message_ref ref;

	if (!e || e->state & ENTRY_GONE || !mailbox_ref(m, e, &ref) ||
	    index_is_sure(&m->x, u->record) ||
	    content_put_aside(index_messages(&m->x), &ref, u->what) != ERR_OK)
		return;
	totals_add(&b->t, e, -1);
	batch_item(b, RECORD_UNDO, &range, sizeof(range));
}

static void take_back_all(struct mailbox *m, const struct buf *bad)
{
	const struct unsure *u = (const void *)bad->data;
	size_t i, n = bad->len / sizeof(*u);
	uint64_t journal = index_end(&m->x).journal;
	struct batch b;
	int code = index_lock(&m->x);

	if (!code) {
		index_begin(&m->x, &b, true);
		b.needed = true;
		/* a new journal: all of its records are looked at again */
		for (i = 0; i < n && index_end(&m->x).journal == journal; i++)
			take_back(m, &b, &u[i]);
		code = index_commit(&m->x, &b, false);
		index_unlock(&m->x);
	}
	/* Nobody is told of them, however full the disk is. */
	for (i = 0; code && i < n; i++)
		index_mark_gone(&m->x, index_find(&m->x, u[i].uid));
}

/* Judges the N messages of one record; puts back what is not bad.
 * Its place goes to GOOD if all can be made sure. */
static void prove_record(struct mailbox *m, const struct unsure *u, size_t n,
			 struct buf *good, struct buf *bad)
{
	size_t i, done = 0;

	for (i = 0; i < n; i++) {
		struct unsure one = u[i];
		enum verdict v = look_at(m, &one);

		if (v == BAD)
			buf_put(bad, &one, sizeof(one));
		else
			index_put_unsure(&m->x, &one);
		done += v == DONE;
	}
	if (done == n)
		buf_put(good, &u->record, sizeof(u->record));
}

/* Also makes the names durable, and marks the records. If a mark fails, the
 * message is examined again. */
static void make_sure(struct mailbox *m, const struct buf *good)
{
	const int64_t *record = (const void *)good->data;
	size_t n = good->len / sizeof(*record);

	if (n > 0 && messages_sync(index_messages(&m->x), BOTH_DIRS) == ERR_OK)
		index_make_sure(&m->x, record, n);
}

/* Records and names are made under the same lock: when it is free, recorded
 * messages have their names. */
static void wait_for_names(struct mailbox *m)
{
	/* a failure will be reported by the next steps */
	err_ignore(index_lock(&m->x));
	index_unlock(&m->x);
}

bool mailbox_prove(struct mailbox *m)
{
	struct buf old, good, bad;
	const struct unsure *u;
	size_t i, k, n;
	bool sure;

	/* usually because their delivery went on */
	if (index_drop_sure(&m->x))
		return true;
	wait_for_names(m);
	index_take_unsure(&m->x, &old);
	u = (const void *)old.data;
	n = old.len / sizeof(*u);
	buf_init(&good, UINT32_MAX);
	buf_init(&bad, UINT32_MAX);
	for (i = 0; i < n; i = k) {
		for (k = i; k < n && u[k].record == u[i].record;)
			k++;
		prove_record(m, &u[i], k - i, &good, &bad);
	}
	make_sure(m, &good);
	if (bad.len > 0)
		take_back_all(m, &bad);
	sure = index_drop_sure(&m->x);
	buf_free(&good);
	buf_free(&bad);
	buf_free(&old);
	return sure;
}
