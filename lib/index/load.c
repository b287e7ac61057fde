/*
 * From the files to the table: the snapshot, then the journal after it. A
 * missing journal is made; a damaged one is made anew, with another
 * UIDVALIDITY, from what can be read of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "log/log.h"
#include "index/high-water.h"
#include "index/journal.h"
#include "index/mark.h"
#include "index/index.h"

void index_note_unsure(struct index *x, const struct record *r, off_t at)
{
	struct unsure u = { .record = at };
	struct record_add a;
	size_t n;
	const char *p = record_payload(r, &n);
	uint32_t i;

	if (r->type != RECORD_ADD || r->sure)
		return;
	for (i = 0; i < r->count && record_add_next(&p, &n, &a); i++) {
		if (!a.known && !folder_fresh(r->t.time))
			continue;
		u.uid = a.uid;
		u.known = a.known;
		u.content = a.content;
		u.ours = record_last_write(r, &a);
		u.saved = a.saved;
		buf_put(&x->unsure, &u, sizeof(u));
	}
}

/* Does R change what clients take as permanent: UIDs, mod-sequences? */
static bool is_told(const struct record *r)
{
	switch (r->type) {
	case RECORD_ADD:
	case RECORD_FLAGS:
	case RECORD_EXPUNGE:
	case RECORD_UNDO:
	case RECORD_MISSING:
		return folder_fresh(r->t.time);
	default:
		return false;
	}
}

/* The counts of the last record may be wrong after RECORD_UNDO, whose writer
 * has no table: then the marks have no times. */
static void count_anew(struct index *x)
{
	const int64_t *mark = x->f.last.mark;

	if (!mark_has_time(mark[DIR_NEW]) || !mark_has_time(mark[DIR_CUR]))
		entries_count(&x->t, &x->f.last);
}

int index_catch_up(struct index *x, bool own)
{
	struct journal_walk w;
	const struct record *r;
	int code, bad = ERR_OK;

	journal_walk(&w, x->f.journal, x->read);
	while (!bad && (r = journal_next(&w))) {
		bad = entries_apply(&x->t, r, own);
		if (!bad) {
			index_note_unsure(x, r, x->read);
			x->last = x->read;
			x->read = w.at;
			x->f.last = r->t;
		}
		x->unsynced = x->unsynced || is_told(r);
	}
	code = journal_walk_end(&w);
	if (bad || code)
		return bad ? bad : code;
	count_anew(x);
	if (!x->f.locked)
		x->f.end = x->read;
	else if (x->read != x->f.end)
		return ERR_CORRUPT;
	return ERR_OK;
}

static void forget(struct index *x)
{
	entries_free(&x->t);
	x->read = sizeof(struct journal_head);
	x->snapshot = x->last = 0;
	buf_reset(&x->unsure);
}

/* Reads the journal that is open into an empty table. */
static int read_all(struct index *x)
{
	int code;

	forget(x);
	if (index_snapshot_load(x)) {
		code = index_catch_up(x, true);
		if (code != ERR_CORRUPT && !entries_are_broken(&x->t))
			return code;
		forget(x);
	}
	if (!entries_reserve(&x->t, 0))
		return ERR_LIMIT;
	return index_catch_up(x, true);
}

/* Under the lock: a new journal with the content of the table. */
static int make_journal(struct index *x, uint32_t validity,
			const struct totals *from)
{
	struct batch b;
	int code;

	batch_begin(&b, NULL, false);
	b.t = *from;
	code = index_state(x, &b, NULL);
	batch_close(&b);
	if (!code)
		code = folder_replace_journal(&x->f, validity, &b.buf, &b.t);
	batch_drop(&b);
	if (!code)
		code = read_all(x);
	return code;
}

/* There is no journal: a new folder, or a loss. */
static int first_journal(struct index *x, uint32_t validity)
{
	struct totals t = { .uidnext = 1, .modseq = 1 };
	struct high_water h;
	int code = high_water_read(x->f.lock, &h);

	if (code && code != ERR_NOT_FOUND)
		return code;
	t.time = clock_wall_us();
	mark_first(&t);
	if (!code) {
		log_warn("mailbox: the journal is missing: made again from "
			 "the names of the files");
		validity = h.uidvalidity;
		t.uidnext = h.uid;
		t.modseq = h.modseq;
	}
	x->recover = true;
	return make_journal(x, validity, &t);
}

int index_keep_damaged(struct index *x, char aside[INDEX_ASIDE_SIZE])
{
	int64_t now = clock_wall();
	int code = ERR_OK;

	do {
		snprintf(aside, INDEX_ASIDE_SIZE,
			 DISK_JOURNAL ".damaged-%" PRId64, now++);
		if (linkat(x->f.dir, DISK_JOURNAL, x->f.dir, aside, 0) == 0)
			return ERR_OK;
		code = err_sys("keep", aside);
	} while (code == ERR_EXISTS);
	/* links are not to be had everywhere */
	if (renameat2(x->f.dir, DISK_JOURNAL, x->f.dir, aside,
		      RENAME_NOREPLACE) == 0 ||
	    errno == ENOENT)
		return ERR_OK;
	return err_sys("put aside", DISK_JOURNAL);
}

/* The journal is damaged: keeps it under another name. What could be read
 * before the damage stays valid with a new UIDVALIDITY. */
static int mend_journal(struct index *x, uint32_t validity)
{
	struct totals t = x->f.last;
	struct high_water h;
	char aside[INDEX_ASIDE_SIZE];
	int code = high_water_read(x->f.lock, &h);

	if (!code && h.modseq > t.modseq)
		t.modseq = h.modseq;
	if (!code || code == ERR_NOT_FOUND)
		code = index_keep_damaged(x, aside);
	if (code)
		return code;
	log_error("mailbox: the journal is damaged: kept as %s, messages "
		  "are numbered anew",
		  aside);
	if (t.uidnext == 0)
		t.uidnext = 1;
	t.mark[DIR_NEW] = mark_without(t.mark[DIR_NEW]);
	t.mark[DIR_CUR] = mark_without(t.mark[DIR_CUR]);
	x->suspect = true;
	return make_journal(x, validity, &t);
}

/* Reads a damaged journal up to the damage, and gives ERR_CORRUPT: or why that
 * cannot be read, and then it is not replaced by the part that can. */
static int read_good_part(struct index *x)
{
	int code = read_all(x);

	return code ? code : ERR_CORRUPT;
}

/* Under the lock: reads the journal, if it is there and whole. */
static int read_locked(struct index *x)
{
	int code = folder_lock(&x->f);

	if (code == ERR_OK)
		code = read_all(x);
	else if (code == ERR_NOT_FOUND)
		forget(x);
	else if (code == ERR_CORRUPT && x->f.journal >= 0)
		code = read_good_part(x);
	x->f.replaced = false;
	return code;
}

static int make_or_mend(struct index *x)
{
	uint32_t validity;
	int code = folder_is_gone(&x->f) ? ERR_NOT_FOUND : read_locked(x);

	if (!x->f.locked)
		return code; /* and nothing can be made */
	folder_unlock(&x->f);
	if (code != ERR_NOT_FOUND && code != ERR_CORRUPT)
		return code;
	/* This also syncs the Maildir: the process that made the folder may
	 * have died before its name was durable. */
	code = x->next_validity(x->context, &validity);
	if (code)
		return code;
	/* Another may have done it meanwhile. */
	code = read_locked(x);
	if (!x->f.locked)
		return code;
	if (code == ERR_NOT_FOUND)
		code = first_journal(x, validity);
	else if (code == ERR_CORRUPT)
		code = mend_journal(x, validity);
	folder_unlock(&x->f);
	return code;
}

/* Is there more than could be read? Usually a record that is being written. */
static bool has_rest(const struct index *x)
{
	struct stat st;

	return fstat(x->f.journal, &st) == 0 && st.st_size != x->read;
}

int index_load(struct index *x)
{
	int code = folder_open_journal(&x->f);

	if (!code)
		code = read_all(x);
	if (code == ERR_NOT_FOUND || code == ERR_CORRUPT ||
	    (!code && has_rest(x)))
		code = make_or_mend(x);
	x->t.changed = x->t.new_keywords = false;
	return code;
}

/* The checksum of E, or ERR_NOT_FOUND: U[N] are those whose records are not sure,
 * in order. While there are some, the others have none in their new record, which
 * is not sure either: they need not be examined. */
static int content_of(struct index *x, const struct entry *e,
		      const struct unsure **u, size_t *n, uint32_t *crc)
{
	for (; *n > 0 && (*u)->uid < e->uid; ++*u)
		--*n;
	if (x->unsure.len == 0)
		return index_content(x, e->uid, crc);
	if (*n == 0 || (*u)->uid != e->uid || !(*u)->known)
		return ERR_NOT_FOUND;
	*crc = (*u)->content;
	return ERR_OK;
}

int index_state(struct index *x, struct batch *b, const uint64_t *key)
{
	const struct unsure *u = (const void *)x->unsure.data;
	size_t n = x->unsure.len / sizeof(*u);
	uint32_t i;
	int code;

	b->sure = n == 0;
	entries_count(&x->t, &b->t);
	batch_mark(b, RECORD_BEGIN);
	for (i = 0; i < x->t.nkeywords; i++)
		batch_keyword(b, i, x->t.keyword[i]);
	for (i = 0; i < x->t.n; i++) {
		const struct entry *e = entries_at(&x->t, i);
		const char *name = entries_name(&x->t, e);
		uint32_t crc;

		if (!name || e->state & ENTRY_GONE)
			continue;
		code = content_of(x, e, &u, &n, &crc);
		if (code && code != ERR_NOT_FOUND)
			return code;
		batch_add(b, e, name, key ? key[i] : 0, code ? NULL : &crc);
	}
	return ERR_OK;
}
