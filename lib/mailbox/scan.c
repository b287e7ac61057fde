/*
 * What other programs did to the Maildir: new files, flags in names, files
 * gone. The directories are read without the lock; if they have not changed
 * when the lock is held, the listing counts. A missing file counts as gone
 * only after a second pass under the lock, since readdir may miss what is
 * renamed meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "log/log.h"
#include "index/journal.h"
#include "index/mark.h"
#include "mailbox/leftover.h"
#include "mailbox/marks.h"
#include "mailbox/opened.h"

/* A file shorter than its name says, written to this few seconds ago, may grow:
 * it is being copied or restored. */
#define GROWING 10

struct scan {
	struct mailbox *m;
	struct listing l;
	uint32_t *slot; /* hash table of indices of entries, plus 1 */
	size_t mask;
	size_t *fresh; /* files that no entry has */
	size_t nfresh;
	struct batch b;
	bool waiting; /* a file is not complete: look again */
};

static void hash_entries(struct scan *s)
{
	struct table *t = &s->m->x.t;
	size_t size = 64;
	uint32_t i;

	while (size < 2 * (size_t)t->n)
		size *= 2;
	s->slot = mem_array(size, sizeof(*s->slot));
	s->mask = size - 1;
	for (i = 0; i < t->n; i++) {
		struct entry *e = &t->entry[i];
		const char *name = entries_name(t, e);
		size_t at;

		e->state &= (uint8_t)~ENTRY_SEEN;
		if (!name || e->state & ENTRY_GONE)
			continue;
		at = map_hash(name, e->nname) & s->mask;
		while (s->slot[at])
			at = (at + 1) & s->mask;
		s->slot[at] = i + 1;
	}
}

static struct entry *find_entry(struct scan *s, const char *base, size_t n)
{
	struct table *t = &s->m->x.t;
	size_t at = map_hash(base, n) & s->mask;

	for (; s->slot[at]; at = (at + 1) & s->mask) {
		struct entry *e = &t->entry[s->slot[at] - 1];

		if (e->nname == n && memcmp(entries_name(t, e), base, n) == 0)
			return e;
	}
	return NULL;
}

static struct message_ref ref_of(const struct scan *s, size_t i)
{
	const struct listing_file *file = &s->l.file[i];
	const char *text = listing_name(&s->l, i);

	return (struct message_ref){ text, file->nbase, file->dir,
				     file->letters, file->spelt ? NULL : text };
}

/* Gives the file the one spelling of its name that we look for. */
static bool respell(struct scan *s, size_t i, unsigned dir)
{
	struct listing_file *file = &s->l.file[i];
	struct message_ref from = ref_of(s, i), to = from;

	if (file->dir == dir && file->spelt)
		return true;
	to.dir = dir;
	to.raw = NULL;
	if (messages_rename(s->m->x.f.files, &from, &to) != ERR_OK)
		return false;
	file->dir = (uint8_t)dir;
	file->spelt = true;
	return true;
}

/* A file with flags belongs in `cur`. */
static bool settle_name(struct scan *s, size_t i)
{
	const struct listing_file *file = &s->l.file[i];

	return respell(s, i, file->letters ? DIR_CUR : file->dir);
}

/* A known message: are its name's flags what we last wrote there? */
static void compare(struct scan *s, size_t i, struct entry *e)
{
	const struct listing_file *file = &s->l.file[i];
	unsigned was = letters_flags(e->letters);
	unsigned is = letters_flags(file->letters);
	unsigned flags = (e->flags | (is & ~was)) & ~(was & ~is);
	struct entry old = *e, now = *e;

	e->state |= ENTRY_SEEN;
	if (file->letters != e->letters || file->dir != e->dir) {
		struct record_named named = { e->uid, file->letters,
					      file->dir };

		batch_item(&s->b, RECORD_NAMED, &named, sizeof(named));
	}
	if (flags != e->flags) {
		struct record_flags f = { e->uid, flags, e->keywords };

		now.flags = (uint8_t)flags;
		totals_add(&s->b.t, &old, -1);
		totals_add(&s->b.t, &now, 1);
		batch_item(&s->b, RECORD_FLAGS, &f, sizeof(f));
	}
}

/* A file that was seen twice was moved between the two passes: the confirming
 * listing finds it where it is now. */
static void sort_out(struct scan *s)
{
	size_t i;

	s->fresh = mem_array(s->l.n + 1, sizeof(*s->fresh));
	for (i = 0; i < s->l.n; i++) {
		const char *text = listing_name(&s->l, i);
		struct entry *e = find_entry(s, text, s->l.file[i].nbase);

		if (!e)
			s->fresh[s->nfresh++] = i;
		else if (!(e->state & ENTRY_SEEN) && settle_name(s, i))
			compare(s, i, e);
	}
}

/* Our UID from a name, if it can be trusted: after a loss of the journal any,
 * after a loss of its end those from there on. */
static uint32_t old_uid(const struct scan *s, const struct listing_file *file)
{
	const struct index *x = &s->m->x;
	bool lost =
		x->recover || (x->f.regressed && file->uid >= x->f.lost_uid);

	return lost && file->validity == x->f.head.uidvalidity &&
			       file->uid < s->b.t.uidnext
		       ? file->uid
		       : 0;
}

struct newcomer {
	uint32_t uid; /* to be kept, or 0 */
	const struct leftover_date *date;
	const char *text;
	size_t file;
	int64_t when;
};

/* Those that keep a UID first, in its order; then as they were delivered. */
static int by_age(const void *a, const void *b)
{
	const struct newcomer *x = a, *y = b;

	if (x->uid != y->uid)
		return x->uid - 1 < y->uid - 1 ? -1 : 1;
	if (x->when != y->when)
		return x->when < y->when ? -1 : 1;
	return strcmp(x->text, y->text);
}

/* Is it shorter than its name says, and perhaps still being written? */
static bool growing(const struct listing_file *file,
		    const struct message_state *st)
{
	return file->size > (int64_t)st->size &&
	       mailbox_written_lately(st->written, GROWING);
}

/* Has nobody but us touched FILE's place since an expunge was recorded? */
static bool is_as_left(const struct scan *s, const struct listing_file *file)
{
	int64_t mark = s->b.t.mark[file->dir];

	return mark < 0 && mark_time(mark) == s->l.before[file->dir];
}

/* The file at REF was expunged before a power cut: certainly, if PROVEN; else a
 * backup with equally old times may have been restored just after that, and
 * the file is kept. */
static void finish_expunge(struct scan *s, const struct message_ref *ref,
			   bool proven)
{
	struct messages *ms = s->m->x.f.files;
	int code =
		proven ? messages_remove(ms, ref) : messages_put_aside(ms, ref);

	if (code)
		s->waiting = code != ERR_NOT_FOUND || s->waiting;
	else if (proven)
		log_info("mailbox: an expunge is finished: %.*s is removed",
			 (int)ref->nbase, ref->base);
	else
		log_warn("mailbox: %.*s was expunged and has come back: it "
			 "is in tmp; another name in cur makes it a message",
			 (int)ref->nbase, ref->base);
}

static void adopt(struct scan *s, struct newcomer *c, uint32_t last)
{
	struct listing_file *file = &s->l.file[c->file];
	struct entry e = { 0 };
	enum content what;
	enum leftover left;
	struct message_state st;
	struct message_ref ref = ref_of(s, c->file);
	bool proven;

	if (messages_state(s->m->x.f.files, &ref, &st) != ERR_OK ||
	    !st.is_file || st.size > UINT32_MAX)
		return;
	if (growing(file, &st)) {
		s->waiting = true;
		return;
	}
	proven = is_as_left(s, file);
	left = c->date ? left_of_expunge(s->m, c->date, proven ? NULL : &st)
		       : LEFT_NOT;
	if (left == LEFT_BUSY)
		s->waiting = true;
	else if (left == LEFT_OVER)
		finish_expunge(s, &ref, proven);
	if (left != LEFT_NOT)
		return;
	if (left_of_delivery(s->m, file, &ref, &what)) {
		if (content_put_aside(s->m->x.f.files, &ref, what) != ERR_OK)
			s->waiting = true;
		return;
	}
	if (!settle_name(s, c->file))
		return;
	if (file->size >= 0 && file->size != (int64_t)st.size)
		c->uid = 0; /* what was told about a UID never changes */
	e.uid = c->uid > last ? c->uid : s->b.t.uidnext++;
	e.letters = file->letters;
	e.flags = (uint8_t)letters_flags(e.letters);
	e.dir = file->dir;
	e.nname = (uint8_t)file->nbase;
	e.received = st.written;
	e.saved = (uint32_t)clock_wall();
	e.size = (uint32_t)st.size;
	if (file->size == (int64_t)st.size && file->wire >= file->size)
		e.wire = (uint32_t)file->wire;
	totals_add(&s->b.t, &e, 1);
	batch_add(&s->b, &e, c->text, 0, NULL);
	c->uid = e.uid;
}

/* Two files cannot keep one UID: the second is a copy. */
static void sort_newcomers(struct newcomer *c, size_t n)
{
	size_t i;

	qsort(c, n, sizeof(*c), by_age);
	for (i = n; i-- > 1;)
		if (c[i].uid && c[i].uid == c[i - 1].uid)
			c[i].uid = 0;
	qsort(c, n, sizeof(*c), by_age);
}

/* Files of expunged messages may be among the new ones: since when each is to
 * be gone; NULL: there are none. */
static struct leftover_date *find_dates(struct scan *s)
{
	struct leftover_date *date;
	size_t i;

	if (s->nfresh == 0 || s->m->x.recover ||
	    !marks_are_pending(&s->m->x.f.last))
		return NULL;
	date = mem_array(s->nfresh, sizeof(*date));
	for (i = 0; i < s->nfresh; i++) {
		date[i].ref = ref_of(s, s->fresh[i]);
		date[i].uid = leftover_uid(s->m, &s->l.file[s->fresh[i]]);
	}
	leftover_find_dates(s->m, date, s->nfresh);
	return date;
}

static void adopt_all(struct scan *s)
{
	struct newcomer *c = mem_array(s->nfresh + 1, sizeof(*c));
	struct leftover_date *date = find_dates(s);
	const struct table *t = &s->m->x.t;
	uint32_t last = t->n > 0 ? t->entry[t->n - 1].uid : 0;
	size_t i;

	for (i = 0; i < s->nfresh; i++) {
		const char *text = listing_name(&s->l, s->fresh[i]);

		c[i].file = s->fresh[i];
		c[i].date = date ? &date[i] : NULL;
		c[i].text = text;
		c[i].uid = old_uid(s, &s->l.file[s->fresh[i]]);
		str_span_to_int(text, strspn(text, "0123456789"), 0, INT64_MAX,
				&c[i].when);
	}
	sort_newcomers(c, s->nfresh);
	for (i = 0; i < s->nfresh; i++) {
		adopt(s, &c[i], last);
		if (c[i].uid > last)
			last = c[i].uid;
	}
	free(date);
	free(c);
}

static bool is_missing(const struct scan *s, const struct entry *e)
{
	return s->l.dirs & 1u << e->dir &&
	       !(e->state & (ENTRY_SEEN | ENTRY_GONE));
}

static bool any_missing(const struct scan *s)
{
	uint32_t i;

	for (i = 0; i < s->m->x.t.n; i++)
		if (is_missing(s, &s->m->x.t.entry[i]))
			return true;
	return false;
}

static void expunge_missing(struct scan *s)
{
	bool joins = false;
	uint32_t i;

	for (i = 0; i < s->m->x.t.n; i++) {
		struct entry *e = &s->m->x.t.entry[i];
		bool missing = is_missing(s, e);

		if (missing) {
			totals_add(&s->b.t, e, -1);
			batch_range(&s->b, RECORD_MISSING, e->uid, joins);
			s->b.needed = true; /* it was room for others */
		}
		joins = missing;
	}
}

/* Is nothing of an expunge left in the places that were read, and what it
 * removed gone for good? */
static bool settles(const struct scan *s)
{
	return marks_are_pending(&s->b.t) && !s->waiting &&
	       s->l.dirs == BOTH_DIRS &&
	       messages_sync(s->m->x.f.files, BOTH_DIRS) == ERR_OK;
}

/* After our own renames the times are ours; a later change by others shows as
 * another time. While something is pending the times are not recorded: others
 * may have been here since. */
static void mark(struct scan *s, const int64_t start[DIRS])
{
	struct totals *t = &s->b.t;
	int64_t end[DIRS];
	int d;

	if (settles(s))
		marks_removed(t);
	if (messages_stamps(s->m->x.f.files, BOTH_DIRS, end) != ERR_OK)
		return;
	for (d = 0; d < DIRS; d++) {
		if (!(s->l.dirs & 1u << d))
			continue;
		t->mark[d] = end[d] != start[d] || !marks_is_old(end[d]) ||
					     s->waiting || t->mark[d] <= 0
				     ? mark_without(t->mark[d])
				     : start[d];
	}
}

static void drop(struct scan *s)
{
	free(s->slot);
	free(s->fresh);
	listing_free(&s->l);
	s->slot = NULL;
	s->fresh = NULL;
	s->nfresh = 0;
}

/* Under the lock: the listing becomes records. */
static int judge(struct scan *s, bool confirmed)
{
	struct mailbox *m = s->m;
	int code;

	batch_begin(&s->b, &m->x.f, true);
	s->waiting = false;
	hash_entries(s);
	sort_out(s);
	if (!confirmed && any_missing(s)) {
		s->b.any = false;
		buf_free(&s->b.buf);
		return ERR_BUSY;
	}
	adopt_all(s);
	expunge_missing(s);
	batch_close(&s->b);
	if (!s->b.any && !s->b.code)
		s->b.t.modseq--;
	mark(s, s->l.before);
	batch_mark(&s->b, RECORD_MARK);
	code = index_commit(&m->x, &s->b, false);
	return code;
}

static unsigned dirs_to_read(const struct mailbox *m, const int64_t now[DIRS])
{
	unsigned d, dirs = 0;

	for (d = 0; d < DIRS; d++)
		if (m->x.suspect || m->x.f.regressed ||
		    marks_are_pending(&m->x.f.last) ||
		    m->x.f.last.mark[d] != now[d])
			dirs |= 1u << d;
	return dirs;
}

static bool changed_since(struct scan *s)
{
	int64_t now[DIRS];
	unsigned d;

	if (messages_stamps(s->m->x.f.files, BOTH_DIRS, now) != ERR_OK)
		return true;
	for (d = 0; d < DIRS; d++)
		if (s->l.dirs & 1u << d && now[d] != s->l.before[d])
			return true;
	return false;
}

int mailbox_scan(struct mailbox *m)
{
	struct scan s = { .m = m };
	int64_t now[DIRS];
	unsigned dirs;
	int code = messages_stamps(m->x.f.files, BOTH_DIRS, now);

	if (code)
		return code;
	dirs = dirs_to_read(m, now);
	if (dirs == 0)
		return ERR_OK;
	code = messages_list(m->x.f.files, dirs, &s.l);
	if (!code)
		code = index_lock(&m->x);
	if (!code) {
		code = changed_since(&s) ? ERR_BUSY : judge(&s, false);
		if (code == ERR_BUSY) {
			drop(&s);
			code = messages_list(m->x.f.files, BOTH_DIRS, &s.l);
			if (!code)
				code = judge(&s, true);
		}
		index_unlock(&m->x);
	}
	drop(&s);
	if (!code)
		m->x.suspect = m->x.recover = m->x.f.regressed = false;
	return code;
}
