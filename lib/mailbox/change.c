/* Changing flags, removing messages, naming keywords. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "index/journal.h"
#include "index/mark.h"
#include "mailbox/finder.h"
#include "mailbox/marks.h"
#include "mailbox/opened.h"

static int keyword_find(const struct mailbox *m, const char *name)
{
	unsigned i;

	for (i = 0; i < m->x.t.nkeywords; i++)
		if (str_equal_ci(m->x.t.keyword[i], name))
			return (int)i;
	return -1;
}

int mailbox_keyword_bit(struct mailbox *m, const char *name, bool create,
			uint64_t *bit)
{
	struct batch b;
	int i = keyword_find(m, name);
	int code;

	if (i < 0 && !create)
		return ERR_NOT_FOUND;
	if (i < 0 && !mailbox_is_keyword(name))
		return ERR_SYNTAX;
	if (i < 0) {
		code = index_lock(&m->x);
		if (code)
			return code;
		i = keyword_find(m, name); /* another may have added it */
		if (i < 0 && m->x.t.nkeywords == MAILBOX_KEYWORDS_MAX)
			code = ERR_LIMIT;
		if (i < 0 && !code) {
			i = (int)m->x.t.nkeywords;
			batch_begin(&b, &m->x.f, false);
			batch_keyword(&b, (uint32_t)i, name);
			code = index_commit(&m->x, &b, true);
		}
		index_unlock(&m->x);
		if (code)
			return code;
	}
	*bit = UINT64_C(1) << i;
	return ERR_OK;
}

struct wish {
	enum mailbox_store_how how;
	unsigned flags;
	uint64_t keywords;
};

static struct entry wished(const struct entry *e, const struct wish *w)
{
	struct entry now = *e;

	switch (w->how) {
	case MAILBOX_SET:
		now.flags = (uint8_t)w->flags;
		now.keywords = w->keywords;
		break;
	case MAILBOX_ADD:
		now.flags |= (uint8_t)w->flags;
		now.keywords |= w->keywords;
		break;
	case MAILBOX_REMOVE:
		now.flags &= (uint8_t)~w->flags;
		now.keywords &= ~w->keywords;
		break;
	}
	return now;
}

/* Changed messages without an unchanged one between them. */
struct run {
	struct record_flags end[2]; /* the first and the last */
	uint32_t n;		    /* changed ones among them */
};

/* What becomes of those within a run, for the upper bits of its last item. */
static uint32_t between(const struct wish *w)
{
	static const unsigned all = MAILBOX_FLAGS_ALL;

	switch (w->how) {
	case MAILBOX_SET:
		return FLAGS_SINCE | FLAGS_KEYWORDS |
		       w->flags << FLAGS_SET_SHIFT | all << FLAGS_CLEAR_SHIFT;
	case MAILBOX_ADD:
		return FLAGS_SINCE | w->flags << FLAGS_SET_SHIFT;
	case MAILBOX_REMOVE:
		return FLAGS_SINCE | w->flags << FLAGS_CLEAR_SHIFT;
	}
	return 0;
}

static void end_run(struct batch *b, struct run *r, const struct wish *w)
{
	if (r->n > 2)
		r->end[1].flags |= between(w);
	if (r->n > 0)
		batch_items(b, RECORD_FLAGS, r->end, sizeof(r->end[0]),
			    r->n > 1 ? 2 : 1);
	r->n = 0;
}

static void change_one(struct mailbox *m, struct batch *b, struct entry *e,
		       const struct wish *w, struct run *r)
{
	struct entry now = wished(e, w);

	if (now.flags == e->flags && now.keywords == e->keywords)
		return;
	totals_add(&b->t, e, -1);
	totals_add(&b->t, &now, 1);
	r->end[r->n > 0] =
		(struct record_flags){ e->uid, now.flags, now.keywords };
	r->n++;
	/* messages may keep other keywords: one item cannot say that */
	if (w->how != MAILBOX_SET && w->keywords != 0)
		end_run(b, r, w);
	if (letters_with(e->letters, now.flags) != e->letters) {
		e->state |= ENTRY_DIRTY;
		m->dirty = true;
	}
}

/* Every change is one batch: determined and committed under the lock, and
 * durable before anybody is told of it. One that REMOVES messages may use what
 * is reserved for that on a full disk. */
static int change_begin(struct mailbox *m, struct batch *b, bool removes)
{
	int code = m->read_only ? ERR_DENIED : index_lock(&m->x);

	if (!code) {
		batch_begin(b, &m->x.f, true);
		b->needed = removes;
	}
	return code;
}

static int change_end(struct mailbox *m, struct batch *b)
{
	int code = index_commit(&m->x, b, true);

	index_unlock(&m->x);
	/* even without a change: an earlier record may not be durable */
	return code ? code : index_sync(&m->x);
}

int mailbox_store(struct mailbox *m, const uint32_t *seq, size_t n,
		  enum mailbox_store_how how, unsigned flags, uint64_t keywords,
		  uint64_t unchanged_since, bool *failed)
{
	struct wish w = { how, flags & MAILBOX_FLAGS_ALL, keywords };
	struct run r = { 0 };
	struct batch b;
	size_t i;
	int code = change_begin(
		m, &b, how != MAILBOX_REMOVE && flags & MAILBOX_DELETED);

	if (code)
		return code;
	for (i = 0; i < n; i++) {
		struct entry *e = mailbox_entry(m, seq[i]);
		bool good = e && !(e->state & ENTRY_GONE) &&
			    e->modseq <= unchanged_since;

		if (failed)
			failed[i] = !good;
		if (!good || (i > 0 && seq[i] != seq[i - 1] + 1))
			end_run(&b, &r, &w);
		if (good)
			change_one(m, &b, e, &w, &r);
	}
	end_run(&b, &r, &w);
	return change_end(m, &b);
}

/* An expunge whose files are still there. */
struct removal {
	bool *chosen;	  /* among those requested */
	bool moved;	  /* their files are also elsewhere */
	bool waiting;	  /* files of an earlier expunge may still exist */
	bool all;	  /* every one was unlinked */
	uint64_t journal; /* its id */
	off_t end;	  /* of the expunge in it */
};

/* Did nobody begin an expunge after R's? Under the lock. */
static bool is_last(const struct mailbox *m, const struct removal *r)
{
	const struct folder *f = &m->x.f;
	const struct record *next;
	struct journal_walk w;
	bool last = f->head.id == r->journal;
	int code;

	journal_walk(&w, f->journal, r->end);
	while (last && w.at < f->end && (next = journal_next(&w, &code)))
		last = next->type != RECORD_EXPUNGE;
	last = last && w.at == f->end;
	journal_walk_end(&w);
	return last;
}

/* Records that nothing is left to remove, if so: after the sync, since readers
 * then take a file of such a name for a message that was put back. If this
 * fails, a scan will do it. */
static void removed(struct mailbox *m, const struct removal *r)
{
	struct batch b;

	if (!r->all || r->waiting || index_lock(&m->x) != ERR_OK)
		return;
	if (is_last(m, r)) {
		batch_begin(&b, &m->x.f, false);
		marks_removed(&b.t);
		batch_mark(&b, RECORD_MARK);
		err_ignore(index_commit(&m->x, &b, true));
	}
	index_unlock(&m->x);
}

/* Removes the files of messages whose names, sorted, are in WANTED[N], wherever
 * they are, and counts them. */
static int remove_listed(struct mailbox *m, const struct message_ref *wanted,
			 size_t n, size_t *removed)
{
	struct listing l;
	size_t i;
	int code = messages_list(m->x.f.files, BOTH_DIRS, &l);

	for (i = 0; !code && i < l.n; i++) {
		const struct listing_file *file = &l.file[i];
		const char *text = listing_name(&l, i);
		const struct message_ref ref = { text, file->nbase, file->dir,
						 file->letters, text };

		if (!bsearch(&ref, wanted, n, sizeof(ref), finder_by_base))
			continue;
		code = messages_remove(m->x.f.files, &ref);
		*removed += code == ERR_OK;
		if (code == ERR_NOT_FOUND)
			code = ERR_OK;
	}
	listing_free(&l);
	return code;
}

/* The same for those of SEQ[N] that are chosen: their files may have got another
 * name that is not recorded. */
static int remove_all(struct mailbox *m, const uint32_t *seq, size_t n,
		      const bool *chosen, size_t *removed)
{
	struct message_ref *wanted = mem_array(n + 1, sizeof(*wanted));
	size_t i, there = 0;
	int code;

	for (i = 0; i < n; i++) {
		const struct entry *e = mailbox_entry(m, seq[i]);

		there += chosen[i] && e && mailbox_ref(m, e, &wanted[there]);
	}
	qsort(wanted, there, sizeof(*wanted), finder_by_base);
	code = remove_listed(m, wanted, there, removed);
	free(wanted);
	return code;
}

/* Another program may rename a file at this moment, so that a listing has
 * neither name: some more are made. Are all gone? */
static bool unlink_renamed(struct mailbox *m, const uint32_t *seq, size_t n,
			   const bool *missing, size_t nmissing)
{
	size_t removed = 0;
	int tries;

	for (tries = 0; removed < nmissing && tries < FINDER_TRIES; tries++)
		if (remove_all(m, seq, n, missing, &removed) != ERR_OK)
			return false;
	return removed >= nmissing;
}

/* Unlinks the files, once the journal says they are gone. What cannot be
 * unlinked now is not an error: a scan will do it. Nor what is not there: it may
 * have another name meanwhile. */
static void unlink_all(struct mailbox *m, const uint32_t *seq, size_t n,
		       struct removal *r)
{
	struct marks k;
	struct batch b;
	bool *missing;
	size_t i, nmissing = 0;

	if (index_lock(&m->x) != ERR_OK)
		return;
	missing = mem_array(n + 1, sizeof(*missing));
	marks_begin(&k, m->x.f.files, BOTH_DIRS);
	for (i = 0; i < n; i++) {
		missing[i] = r->chosen[i] &&
			     !mailbox_unlink(m, mailbox_entry(m, seq[i]));
		nmissing += missing[i];
	}
	r->all = unlink_renamed(m, seq, n, missing, nmissing);
	free(missing);
	batch_begin(&b, &m->x.f, false);
	marks_end(&k, m->x.f.files, &b.t);
	batch_mark(&b, RECORD_MARK);
	/* only for speed: without it the directories are read */
	err_ignore(index_commit(&m->x, &b, true));
	index_unlock(&m->x);
}

/* A name that came back after a power cut would be a new message. */
static int sync_dirs(struct mailbox *m)
{
	return messages_sync(m->x.f.files, BOTH_DIRS);
}

/* No room for the record: removes the files first, which makes room. After a
 * power cut in between they are missing, and the next scan records that. */
static int expunge_full(struct mailbox *m, const uint32_t *seq, size_t n,
			const bool *chosen)
{
	size_t i, removed = 0;
	int code = index_lock(&m->x);

	if (code)
		return code;
	code = remove_all(m, seq, n, chosen, &removed);
	index_unlock(&m->x);
	if (!code)
		code = sync_dirs(m);
	m->x.suspect = true;
	if (!code)
		code = mailbox_scan(m);
	for (i = 0; code == ERR_NO_SPACE && i < n; i++)
		if (chosen[i])
			entries_mark_gone(&m->x.t, seq[i] - 1);
	return code == ERR_NO_SPACE ? ERR_OK : code;
}

/* Puts those to be removed into R, and their records into B. */
static void record_expunge(struct mailbox *m, const uint32_t *seq, size_t n,
			   bool deleted_only, struct batch *b,
			   struct removal *r)
{
	bool joins = false;
	uint32_t size;
	size_t i;

	r->waiting = marks_are_pending(&b->t);
	for (i = 0; i < n; i++) {
		struct entry *e = mailbox_entry(m, seq[i]);

		r->chosen[i] = e && !(e->state & ENTRY_GONE) &&
			       (!deleted_only || e->flags & MAILBOX_DELETED);
		joins = joins && seq[i] == seq[i - 1] + 1;
		if (r->chosen[i] && !r->moved &&
		    mailbox_is_restated(m, e, &size)) {
			mailbox_put_anew(m, b, e, size);
			r->chosen[i] = false;
		}
		if (r->chosen[i]) {
			totals_add(&b->t, e, -1);
			marks_expunge(&b->t);
			batch_range(b, RECORD_EXPUNGE, e->uid, joins);
		}
		joins = r->chosen[i];
	}
}

/* DONE[N] gets which were removed now, and not gone before. It is not NULL if
 * their files are also elsewhere. */
static int expunge(struct mailbox *m, const uint32_t *seq, size_t n,
		   bool deleted_only, bool *done)
{
	struct removal r = { .moved = done != NULL };
	struct batch b;
	bool any;
	int code = change_begin(m, &b, true);

	if (code)
		return code;
	r.chosen = mem_array(n + 1, sizeof(*r.chosen));
	record_expunge(m, seq, n, deleted_only, &b, &r);
	any = b.any;
	/* What is reported gone must not come back: the record comes first. */
	code = change_end(m, &b);
	r.journal = m->x.f.head.id;
	r.end = m->x.f.end;
	if (!code && any) {
		unlink_all(m, seq, n, &r);
		code = sync_dirs(m);
		if (!code)
			removed(m, &r);
	} else if (code == ERR_NO_SPACE) {
		code = expunge_full(m, seq, n, r.chosen);
	}
	if (done)
		memcpy(done, r.chosen, n * sizeof(*done));
	free(r.chosen);
	return code;
}

int mailbox_expunge(struct mailbox *m, const uint32_t *seq, size_t n,
		    bool deleted_only)
{
	return expunge(m, seq, n, deleted_only, NULL);
}

int mailbox_expunge_moved(struct mailbox *m, const uint32_t *seq, size_t n,
			  bool *done)
{
	return expunge(m, seq, n, false, done);
}
