/*
 * Changing flags, removing messages, naming keywords. Every change is one batch:
 * determined and recorded under the lock, and durable before anybody is told of
 * it. Names of files follow later (settle.c), and files of expunged messages are
 * removed in portions (removal.h).
 *
 * So the record of an expunge comes first: what was reported gone must not come
 * back after a power cut. On a full disk there may be no room for it; then the
 * files go first, which makes room, and a scan records that they are missing.
 *
 * First keywords, then flags, where runs of messages with like changes become
 * one item, then expunges.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "index/journal.h"
#include "index/mark.h"
#include "mailbox/opened.h"

static int keyword_find(const struct mailbox *m, const char *name)
{
	unsigned i;

	for (i = 0; i < index_keywords(&m->x); i++)
		if (str_equal_ci(index_keyword(&m->x, i), name))
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
		if (i < 0 && index_keywords(&m->x) == MAILBOX_KEYWORDS_MAX)
			code = ERR_LIMIT;
		if (i < 0 && !code) {
			i = (int)index_keywords(&m->x);
			index_begin(&m->x, &b, false);
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
		index_begin(&m->x, b, true);
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

/* No room for the record: removes the files first, which makes room. After a
 * power cut in between they are missing, and the next scan records that. */
static int expunge_full(struct mailbox *m, const uint32_t *seq, size_t n,
			const bool *chosen)
{
	size_t i;
	int code = index_lock(&m->x);

	if (code)
		return code;
	code = removal_of_all(m);
	index_unlock(&m->x);
	if (!code)
		code = messages_sync(index_messages(&m->x), BOTH_DIRS);
	index_suspect(&m->x);
	if (!code)
		code = mailbox_scan(m);
	for (i = 0; code == ERR_NO_SPACE && i < n; i++)
		if (chosen[i])
			index_mark_gone(&m->x, seq[i] - 1);
	return code == ERR_NO_SPACE ? ERR_OK : code;
}

/* Has E's file, which was linked elsewhere, more names than the one that is to
 * go? If not, another program put a new file in its place since. One that is not
 * found was renamed, and is still the same. */
static bool is_linked(struct mailbox *m, const struct entry *e)
{
	struct message_state st;
	struct message_ref ref;

	return !mailbox_ref(m, e, &ref) ||
	       messages_state(index_messages(&m->x), &ref, &st) != ERR_OK ||
	       st.shared;
}

/* Is E to be removed? What another program wrote to is not, but a new message;
 * unless it is LINKED elsewhere, too. */
static bool choose(struct mailbox *m, struct batch *b, struct entry *e,
		   bool deleted_only, bool linked)
{
	uint32_t size;

	if (!e || e->state & ENTRY_GONE ||
	    (deleted_only && !(e->flags & MAILBOX_DELETED)))
		return false;
	if ((linked && is_linked(m, e)) || !mailbox_is_restated(m, e, &size))
		return true;
	mailbox_put_anew(m, b, e, size);
	return false;
}

/* Which are to be removed goes into CHOSEN, their records into B. */
static void record_expunge(struct mailbox *m, const uint32_t *seq, size_t n,
			   bool deleted_only, const bool *linked,
			   struct batch *b, bool *chosen)
{
	bool joins = false;
	size_t i;

	for (i = 0; i < n; i++) {
		struct entry *e = mailbox_entry(m, seq[i]);

		joins = joins && seq[i] == seq[i - 1] + 1;
		chosen[i] = choose(m, b, e, deleted_only, linked && linked[i]);
		if (chosen[i]) {
			removal_put(&m->removal, m, e);
			totals_add(&b->t, e, -1);
			mark_expunge(&b->t);
			batch_range(b, RECORD_EXPUNGE, e->uid, joins);
		}
		joins = chosen[i];
	}
}

/* A copy of a message under another name would come back when it is expunged. */
static int part_twins(struct mailbox *m)
{
	int code = removal_is_over(&m->removal) ? mailbox_scan(m) : ERR_OK;

	return code == ERR_NO_SPACE ? ERR_OK : code;
}

/* So long a client waits for files to be removed that it was told are gone. */
#define REMOVE_NOW_US 1000000

/* DONE[N], unless NULL, gets which were removed now, and not gone before. LINKED
 * may be NULL. */
static int expunge(struct mailbox *m, const uint32_t *seq, size_t n,
		   bool deleted_only, const bool *linked, bool *done)
{
	size_t before = removal_count(&m->removal);
	struct batch b;
	bool any, *chosen;
	int code = part_twins(m);

	if (!code)
		code = change_begin(m, &b, true);
	if (code)
		return code;
	chosen = mem_array(n + 1, sizeof(*chosen));
	record_expunge(m, seq, n, deleted_only, linked, &b, chosen);
	any = b.any;
	/* What is reported gone must not come back: the record comes first. */
	code = change_end(m, &b);
	if (!code && any) {
		removal_recorded(m);
		code = removal_go_on(m, REMOVE_NOW_US);
	} else if (code == ERR_NO_SPACE) {
		code = expunge_full(m, seq, n, chosen);
	} else if (code) {
		removal_forget(&m->removal, before);
	}
	if (done)
		memcpy(done, chosen, n * sizeof(*done));
	free(chosen);
	return code;
}

int mailbox_expunge(struct mailbox *m, const uint32_t *seq, size_t n,
		    bool deleted_only)
{
	return expunge(m, seq, n, deleted_only, NULL, NULL);
}

int mailbox_expunge_moved(struct mailbox *m, const uint32_t *seq, size_t n,
			  const bool *linked, bool *done)
{
	return expunge(m, seq, n, false, linked, done);
}
