/*
 * Removing the files of expunged messages, a portion under each lock. A file
 * that is not under its recorded name was renamed by another program: such are
 * looked for in listings at the end, all at once. Then the directories are
 * synced, and only after that the journal says that nothing is left: if the
 * power goes before, the next session finds the files by what the journal says
 * of them (leftover.h).
 */
#include "mailbox/removal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "index/journal.h"
#include "index/mark.h"
#include "mailbox/finder.h"
#include "mailbox/marks.h"
#include "mailbox/opened.h"

#define PORTION 200   /* files under one lock, */
#define PORTION_MS 50 /* for about so long */

int64_t removal_say_ms = 3000;

struct gone {
	uint32_t uid;
	uint32_t letters;
	uint32_t name; /* among `names` */
	uint8_t nname;
	uint8_t dir;
	bool missing;
};

void removal_init(struct removal *r)
{
	memset(r, 0, sizeof(*r));
	buf_init(&r->gone, UINT32_MAX);
	buf_init(&r->names, UINT32_MAX);
}

void removal_free(struct removal *r)
{
	buf_free(&r->gone);
	buf_free(&r->names);
	r->next = r->missing = 0;
}

size_t removal_count(const struct removal *r)
{
	return r->gone.len / sizeof(struct gone);
}

static struct gone *item(const struct removal *r, size_t i)
{
	return (struct gone *)(void *)r->gone.data + i;
}

static struct message_ref ref_of(const struct removal *r, size_t i)
{
	const struct gone *g = item(r, i);

	return (struct message_ref){ r->names.data + g->name, g->nname, g->dir,
				     g->letters, NULL };
}

bool removal_is_over(const struct removal *r)
{
	return r->gone.len == 0;
}

void removal_put(struct removal *r, const struct mailbox *m,
		 const struct entry *e)
{
	struct gone g = { .uid = e->uid,
			  .letters = e->letters,
			  .name = (uint32_t)r->names.len,
			  .nname = e->nname,
			  .dir = e->dir };
	struct message_ref ref;

	/* a name that cannot be read is that of no file */
	if (!mailbox_ref(m, e, &ref))
		return;
	if (removal_is_over(r))
		r->waiting = mark_is_pending(index_totals(&m->x));
	buf_put(&r->names, ref.base, ref.nbase);
	buf_put(&r->gone, &g, sizeof(g));
}

void removal_forget(struct removal *r, size_t n)
{
	buf_truncate(&r->gone, n * sizeof(struct gone));
}

void removal_recorded(struct mailbox *m)
{
	m->removal.recorded = index_end(&m->x);
	m->removal.said = clock_ms();
}

/* Records that nothing is left to remove, if so: after the sync, since readers
 * then take a file of such a name for a message that was put back. If this
 * fails, a scan will do it. */
static void removed(struct mailbox *m, const struct removal *r)
{
	struct batch b;

	if (r->missing > 0 || r->waiting || index_lock(&m->x) != ERR_OK)
		return;
	if (index_expunged_last(&m->x, &r->recorded)) {
		index_begin(&m->x, &b, false);
		mark_removed(&b.t);
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
	int code = messages_list(index_messages(&m->x), BOTH_DIRS, &l);

	for (i = 0; !code && i < l.n; i++) {
		const struct listing_file *file = &l.file[i];
		const char *text = listing_name(&l, i);
		const struct message_ref ref = { text, file->nbase, file->dir,
						 file->letters, text };

		if (!bsearch(&ref, wanted, n, sizeof(ref), finder_by_base))
			continue;
		code = messages_remove(index_messages(&m->x), &ref);
		*removed += code == ERR_OK;
		if (code == ERR_NOT_FOUND)
			code = ERR_OK;
	}
	listing_free(&l);
	return code;
}

/* The same for all of R, or for those that were MISSING: their files may have
 * got another name that is not recorded. */
static int remove_all(struct mailbox *m, const struct removal *r, bool missing,
		      size_t *removed)
{
	size_t i, n = removal_count(r), there = 0;
	struct message_ref *wanted = mem_array(n + 1, sizeof(*wanted));
	int code;

	for (i = 0; i < n; i++)
		if (!missing || item(r, i)->missing)
			wanted[there++] = ref_of(r, i);
	qsort(wanted, there, sizeof(*wanted), finder_by_base);
	code = remove_listed(m, wanted, there, removed);
	free(wanted);
	return code;
}

int removal_of_all(struct mailbox *m)
{
	size_t removed = 0;
	int code = remove_all(m, &m->removal, false, &removed);

	removal_free(&m->removal);
	return code;
}

/* Another program may rename a file at this moment, so that a listing has
 * neither name: some more are made. */
static void remove_renamed(struct mailbox *m, struct removal *r)
{
	size_t removed = 0;
	int tries, code = ERR_OK;

	for (tries = 0; !code && removed < r->missing && tries < FINDER_TRIES;
	     tries++)
		code = remove_all(m, r, true, &removed);
	r->missing -= removed < r->missing ? removed : r->missing;
}

/* What cannot be removed is not an error: a scan will do it. Nor what is not
 * there: it may have another name meanwhile. */
static void remove_some(struct mailbox *m, struct removal *r)
{
	int64_t until = clock_ms() + PORTION_MS;
	size_t i, end = r->next + PORTION;

	if (end > removal_count(r))
		end = removal_count(r);
	for (i = r->next; i < end && clock_ms() <= until; i++) {
		struct message_ref ref = ref_of(r, i);

		item(r, i)->missing =
			messages_remove(index_messages(&m->x), &ref) != ERR_OK;
		r->missing += item(r, i)->missing;
	}
	r->next = i;
	if (i == removal_count(r) && r->missing > 0)
		remove_renamed(m, r);
}

/* Records the expunge of what is left once more. */
static void say(struct removal *r, struct batch *b)
{
	uint32_t before = 0;
	size_t i;

	for (i = r->next; i < removal_count(r); i++) {
		uint32_t uid = item(r, i)->uid;

		batch_range(b, RECORD_EXPUNGE, uid, uid == before + 1);
		before = uid;
	}
	mark_expunge(&b->t);
	r->said = clock_ms();
}

static int portion(struct mailbox *m, struct removal *r)
{
	struct marks k;
	struct batch b;
	bool due = clock_ms() - r->said >= removal_say_ms, last;
	int code = index_lock(&m->x);

	if (code)
		return code;
	last = index_expunged_last(&m->x, &r->recorded);
	marks_begin(&k, index_messages(&m->x), BOTH_DIRS);
	remove_some(m, r);
	index_begin(&m->x, &b, false);
	b.needed = true;
	marks_end(&k, index_messages(&m->x), &b.t);
	if (due)
		say(r, &b);
	batch_mark(&b, RECORD_MARK);
	/* only for speed: without it the directories are read */
	err_ignore(index_commit(&m->x, &b, true));
	if (due && last)
		r->recorded = index_end(&m->x);
	index_unlock(&m->x);
	return ERR_OK;
}

int removal_go_on(struct mailbox *m, int64_t for_us)
{
	struct removal *r = &m->removal;
	int64_t until = clock_ms() + for_us / 1000;
	int code = ERR_OK;

	if (removal_is_over(r))
		return ERR_OK;
	while (!code && r->next < removal_count(r)) {
		code = portion(m, r);
		if (!code && r->next < removal_count(r) && clock_ms() >= until)
			return ERR_OK;
	}
	/* A name that came back after a power cut would be a new message. */
	if (!code) {
		code = messages_sync(index_messages(&m->x), BOTH_DIRS);
		if (!code)
			removed(m, r);
	} else {
		code = ERR_OK; /* a scan will do it */
	}
	removal_free(r);
	return code;
}
