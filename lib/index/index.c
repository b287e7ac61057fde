/*
 * An index beside other processes: the lock, a journal that was replaced or is
 * gone. Whatever happens, the table keeps the places of its messages.
 */
#include "index/index.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "index/history.h"
#include "index/journal.h"
#include "log/log.h"

int index_sync(struct index *x)
{
	int code;

	if (!x->unsynced)
		return ERR_OK;
	code = folder_sync(&x->f);
	if (code)
		return code;
	x->unsynced = false;
	/* if this mark fails, a later sync may set it */
	if (x->last > 0)
		err_ignore(journal_make_synced(x->f.journal, x->last));
	return ERR_OK;
}

/* The next entry of NOW from K on that is not gone. */
static uint32_t next_there(const struct table *now, uint32_t k)
{
	while (k < now->n && entries_at(now, k)->state & ENTRY_GONE)
		k++;
	return k;
}

/* Brings T to the state of NOW; what is gone in NOW is gone. False: NOW has a
 * message, from a restored backup, that has no place among ours. */
static bool merge(struct table *t, const struct table *now)
{
	uint32_t i = 0, k = next_there(now, 0), had = t->n;
	uint32_t last = had ? entries_at(t, had - 1)->uid : 0;
	bool all = true;

	for (; k < now->n; k = next_there(now, k + 1)) {
		const struct entry *e = entries_at(now, k);

		while (i < had && entries_at(t, i)->uid < e->uid)
			entries_mark_gone(t, i++);
		if (i < had && entries_at(t, i)->uid == e->uid)
			entries_follow(t, i++, e);
		else if (e->uid > last)
			entries_copy(t, e, entries_name(now, e));
		else
			all = false;
	}
	while (i < had)
		entries_mark_gone(t, i++);
	return all;
}

/* Another journal took the place of ours: brings the table to its state,
 * keeping the places of messages. */
static int follow(struct index *x)
{
	struct index fresh = *x;
	uint32_t validity = x->f.head.uidvalidity;
	int code;

	entries_init(&fresh.t);
	buf_init(&fresh.unsure, UINT32_MAX);
	contents_init(&fresh.contents);
	code = index_load(&fresh);
	contents_free(&fresh.contents);
	buf_free(&x->unsure);
	x->unsure = fresh.unsure;
	x->f = fresh.f;
	x->f.replaced = false;
	x->read = fresh.read;
	x->snapshot = fresh.snapshot;
	x->last = fresh.last;
	x->suspect = fresh.suspect;
	x->recover = fresh.recover;
	if (code == ERR_NOT_FOUND ||
	    (!code && x->f.head.uidvalidity != validity))
		code = ERR_CORRUPT;
	x->renumbered = code == ERR_CORRUPT;
	x->behind = code != ERR_OK;
	if (code) {
		entries_free(&fresh.t);
		return code;
	}
	x->renumbered = !merge(&x->t, &fresh.t);
	entries_follow_keywords(&x->t, &fresh.t);
	entries_free(&fresh.t);
	x->unsynced = true;
	return x->renumbered ? ERR_CORRUPT : ERR_OK;
}

/* Is the part of the journal that was read gone, and not replaced by another
 * journal? */
static bool was_lost(const struct index *x)
{
	struct journal_head h;
	struct stat st;
	int code;

	if (x->f.journal < 0 || fstat(x->f.journal, &st) < 0)
		return false;
	if (st.st_size < x->read)
		return true;
	code = journal_head_read(x->f.journal, &h);
	return code == ERR_CORRUPT ||
	       (!code && h.id == x->f.head.id &&
		journal_holds(x->f.journal, &h, x->read) == ERR_CORRUPT);
}

/* ST is the journal's. */
static int keep_old(struct index *x, const struct stat *st)
{
	char aside[INDEX_ASIDE_SIZE] = "";
	int code = ERR_OK;

	if (st->st_nlink > 0 && st->st_size > 0)
		code = index_keep_damaged(x, aside);
	if (!code)
		log_warn("mailbox: the journal was removed, cut or overwritten "
			 "under an open session: made again%s%s",
			 *aside ? ", and kept as " : "", aside);
	return code;
}

/* The journal's name is gone, or it was truncated or overwritten, and its state
 * is known here: writes it again, going on from LAST. Under the lock. */
static int revive(struct index *x, const struct totals *last)
{
	struct stat st;
	int code = ERR_OK;

	if (folder_is_gone(&x->f) || x->f.journal < 0)
		return ERR_NOT_FOUND;
	if (fstat(x->f.journal, &st) < 0)
		return err_sys("look at", DISK_JOURNAL);
	code = keep_old(x, &st);
	if (code)
		return code;
	x->f.end = st.st_size;
	x->f.last = *last;
	/* a record torn at its end was never promised */
	err_ignore(index_catch_up(x, false));
	return index_write_anew(x);
}

bool index_is_over(struct index *x)
{
	if (!x->renumbered && entries_are_broken(&x->t)) {
		/* or the next session finds the same */
		err_ignore(unlinkat(x->f.dir, DISK_SNAPSHOT, 0));
		x->renumbered = true;
	}
	return x->renumbered;
}

int index_lock(struct index *x)
{
	const struct totals last = x->f.last;
	int code;

	if (index_is_over(x))
		return ERR_CORRUPT;
	code = folder_lock(&x->f);
	/* It may be replaced once more before the lock is held again. */
	while (code == ERR_OK && (x->f.replaced || x->behind)) {
		folder_unlock(&x->f);
		code = follow(x);
		if (!code)
			code = folder_lock(&x->f);
	}
	if (x->f.locked && !x->behind &&
	    (code == ERR_NOT_FOUND || (code == ERR_CORRUPT && was_lost(x))))
		code = revive(x, &last);
	else if (code == ERR_OK)
		code = index_catch_up(x, false);
	if (code) {
		folder_unlock(&x->f);
		/* The journal is lost or damaged under an open session. */
		if (code == ERR_NOT_FOUND || code == ERR_CORRUPT) {
			x->renumbered = true;
			code = ERR_CORRUPT;
		}
	}
	return code;
}

void index_unlock(struct index *x)
{
	folder_unlock(&x->f);
}

int index_commit(struct index *x, struct batch *b, bool own)
{
	bool any = b->any;
	int code = batch_end(b);

	if (!code && any)
		code = index_catch_up(x, own);
	return code;
}

/* Is the journal ST what was read, perhaps with more appended? It is examined
 * if somebody wrote to it. */
static bool is_as_read(struct index *x, const struct stat *st)
{
	int64_t written =
		(int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;

	if (written != x->written &&
	    journal_holds(x->f.journal, &x->f.head, x->read) != ERR_OK)
		return false;
	x->written = written;
	return true;
}

int index_look(struct index *x)
{
	struct stat st;
	bool there;

	if (index_is_over(x))
		return ERR_CORRUPT;
	there = fstatat(x->f.dir, DISK_JOURNAL, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (there && (st.st_ino != x->f.journal_ino || x->behind))
		return follow(x);
	if (!there || !is_as_read(x, &st)) {
		int code = index_lock(x);

		index_unlock(x);
		return code;
	}
	if (st.st_size != x->read)
		return index_catch_up(x, false);
	return ERR_OK;
}

void index_init(struct index *x)
{
	memset(x, 0, sizeof(*x));
	entries_init(&x->t);
	buf_init(&x->unsure, UINT32_MAX);
	contents_init(&x->contents);
	cached_init(&x->cached);
}

int index_content(struct index *x, uint32_t uid, uint32_t *crc)
{
	return x->f.journal < 0 ? ERR_NOT_FOUND
				: contents_find(&x->contents, x->f.journal,
						x->f.head.id, uid, crc);
}

void index_free(struct index *x)
{
	entries_free(&x->t);
	buf_free(&x->unsure);
	contents_free(&x->contents);
	cached_free(&x->cached);
}

int index_open(struct index *x, int store, const char *name,
	       messages_opener *opener, bool make)
{
	return folder_open(store, name, opener, make, &x->f);
}

void index_number_by(struct index *x, index_validity *next, void *context)
{
	x->next_validity = next;
	x->context = context;
}

void index_close(struct index *x)
{
	index_free(x);
	folder_close(&x->f);
}

int index_put_gone(struct index *x, const struct record_range *r, size_t n,
		   uint32_t gone, uint64_t modseq)
{
	if (!entries_reserve(&x->t, x->t.n + gone))
		return ERR_LIMIT;
	entries_put_gone(&x->t, r, n, gone, modseq);
	return ERR_OK;
}

bool index_take_changed(struct index *x)
{
	bool changed = x->t.changed;

	x->t.changed = false;
	return changed;
}

bool index_take_new_keywords(struct index *x)
{
	bool any = x->t.new_keywords;

	x->t.new_keywords = false;
	return any;
}

void index_trust(struct index *x)
{
	x->suspect = x->recover = x->f.regressed = false;
}

void index_take_unsure(struct index *x, struct buf *out)
{
	*out = x->unsure;
	buf_init(&x->unsure, UINT32_MAX);
}

void index_put_unsure(struct index *x, const struct unsure *u)
{
	buf_put(&x->unsure, u, sizeof(*u));
}

bool index_is_sure(const struct index *x, int64_t record)
{
	return journal_is_sure(x->f.journal, record);
}

bool index_drop_sure(struct index *x)
{
	struct unsure *u = (struct unsure *)(void *)x->unsure.data;
	size_t i, n = x->unsure.len / sizeof(*u), kept = 0;
	bool sure = false;

	for (i = 0; i < n; i++) {
		if (i == 0 || u[i].record != u[i - 1].record)
			sure = index_is_sure(x, u[i].record);
		if (!sure)
			u[kept++] = u[i];
	}
	buf_truncate(&x->unsure, kept * sizeof(*u));
	return kept == 0;
}

void index_make_sure(struct index *x, const int64_t *record, size_t n)
{
	x->unsynced = true;
	if (index_sync(x) != ERR_OK)
		return;
	for (size_t i = 0; i < n; i++)
		folder_make_sure(&x->f, record[i]);
}

struct index_point index_end(const struct index *x)
{
	return (struct index_point){ x->f.head.id, x->f.end };
}

bool index_expunged_last(const struct index *x, const struct index_point *p)
{
	const struct record *next;
	struct journal_walk w;
	bool last = x->f.head.id == p->journal;

	journal_walk(&w, x->f.journal, p->end);
	while (last && w.at < x->f.end && (next = journal_next(&w)))
		last = next->type != RECORD_EXPUNGE;
	last = last && w.at == x->f.end;
	return journal_walk_end(&w) == ERR_OK && last;
}

void index_walk(const struct index *x, struct journal_walk *w)
{
	journal_walk(w, x->f.journal, sizeof(struct journal_head));
}

bool index_history(const struct index *x, uint64_t since, struct buf *ranges)
{
	return !x->behind && !x->renumbered && since <= x->f.last.modseq &&
	       history_since(x->f.journal, x->read, since, ranges);
}
