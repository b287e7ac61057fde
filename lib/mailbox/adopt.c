/*
 * Files that no record knows: mail of another program, or what a power cut left.
 * Each becomes a message, with the UID in its name if that was its own, unless
 * it is a leftover (leftover.h), a second file of one name (twin.h), or still
 * being written.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "index/mark.h"
#include "log/log.h"
#include "mailbox/finder.h"
#include "mailbox/leftover.h"
#include "mailbox/scan.h"

/* A file shorter than its name says, written to this few seconds ago, may grow:
 * it is being copied or restored. */
#define GROWING 10

/* Our UID from a name, if it can be trusted: after a loss of the journal any,
 * after a loss of its end those from there on. */
static uint32_t old_uid(const struct scan *s, const struct listing_file *file)
{
	const struct index *x = &s->m->x;

	return index_may_have_lost(x, file->uid) &&
			       file->validity == index_uidvalidity(x) &&
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

static void tally(struct tally *t, const struct message_ref *ref)
{
	if (t->n++ == 0)
		snprintf(t->first, sizeof(t->first), "%.*s", (int)ref->nbase,
			 ref->base);
}

/* One line for all: a session that was killed may have left thousands. */
static void tell_tallies(const struct scan *s)
{
	const struct tally *t = &s->finished;

	if (t->n)
		log_info("mailbox: an expunge is finished: its last files are "
			 "removed, %zu in all, first %s",
			 t->n, t->first);
	t = &s->back;
	if (t->n)
		log_warn("mailbox: files of expunged messages were still there "
			 "or have come back, %zu in all, first %s: they are in "
			 "tmp; another name in cur makes each a message",
			 t->n, t->first);
	t = &s->unread;
	if (t->n)
		log_warn("mailbox: new files cannot be looked at, %zu in all, "
			 "first %s: they are tried again",
			 t->n, t->first);
	t = &s->huge;
	if (t->n)
		log_warn("mailbox: files of over 4 GiB cannot be messages, %zu "
			 "in all, first %s",
			 t->n, t->first);
}

/* Can the file at REF become a message, as it is in ST? One that could not be
 * looked at is looked at again, or it would never be seen. */
static bool look_at(struct scan *s, const struct message_ref *ref,
		    struct message_state *st)
{
	int code = messages_state(index_messages(&s->m->x), ref, st);

	if (code && code != ERR_NOT_FOUND) {
		s->waiting = true;
		tally(&s->unread, ref);
	} else if (!code && st->is_file && st->size > UINT32_MAX) {
		tally(&s->huge, ref);
	}
	return !code && st->is_file && st->size <= UINT32_MAX;
}

/* The file at REF was expunged before a power cut: certainly, if PROVEN; else a
 * backup with equally old times may have been restored just after that, and
 * the file is kept. */
static void finish_expunge(struct scan *s, const struct message_ref *ref,
			   bool proven)
{
	struct messages *ms = index_messages(&s->m->x);
	int code =
		proven ? messages_remove(ms, ref) : messages_put_aside(ms, ref);

	if (code)
		s->waiting = code != ERR_NOT_FOUND || s->waiting;
	else
		tally(proven ? &s->finished : &s->back, ref);
}

/* The file of C, as it is in ST, is a message from now on. */
static void record_newcomer(struct scan *s, struct newcomer *c, uint32_t last,
			    const struct message_state *st)
{
	const struct listing_file *file = &s->l.file[c->file];
	struct entry e = { .letters = file->letters,
			   .flags = (uint8_t)letters_flags(file->letters),
			   .dir = file->dir,
			   .nname = (uint8_t)file->nbase,
			   .received = st->written,
			   .saved = (uint32_t)clock_wall(),
			   .size = (uint32_t)st->size };

	if (file->size >= 0 && file->size != (int64_t)st->size)
		c->uid = 0; /* what was told about a UID never changes */
	e.uid = c->uid > last ? c->uid : s->b.t.uidnext++;
	if (file->size == (int64_t)st->size && file->wire >= file->size)
		e.wire = (uint32_t)file->wire;
	totals_add(&s->b.t, &e, 1);
	batch_add(&s->b, &e, c->text, 0, NULL);
	c->uid = e.uid;
}

static void adopt(struct scan *s, struct newcomer *c, uint32_t last)
{
	struct listing_file *file = &s->l.file[c->file];
	enum content what;
	enum leftover left;
	struct message_state st;
	struct message_ref ref = scan_ref(s, c->file);
	bool proven;

	if (!look_at(s, &ref, &st))
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
		if (content_put_aside(index_messages(&s->m->x), &ref, what) !=
		    ERR_OK)
			s->waiting = true;
		return;
	}
	if (scan_settle_name(s, c->file) == ERR_OK)
		record_newcomer(s, c, last, &st);
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

/* Files of expunged messages may be among the new ones: *DATES says since when
 * each is to be gone; NULL: there are none. */
static int find_dates(struct scan *s, struct leftover_date **dates)
{
	struct leftover_date *date;
	size_t i;

	*dates = NULL;
	if (s->nfresh == 0 || index_is_recovering(&s->m->x) ||
	    !mark_is_pending(index_totals(&s->m->x)))
		return ERR_OK;
	*dates = date = mem_array(s->nfresh, sizeof(*date));
	for (i = 0; i < s->nfresh; i++) {
		date[i].ref = scan_ref(s, s->fresh[i]);
		date[i].uid = leftover_uid(s->m, &s->l.file[s->fresh[i]]);
	}
	return leftover_find_dates(s->m, date, s->nfresh);
}

struct named {
	struct message_ref ref;
	size_t at; /* in the listing */
};

/* Of one name those in cur first, and always in the same order. */
static int by_name(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	int order = finder_by_base(&x->ref, &y->ref);

	if (order == 0)
		order = (x->ref.dir < y->ref.dir) - (x->ref.dir > y->ref.dir);
	return order ? order : strcmp(x->ref.base, y->ref.base);
}

/* Leaves one file of each name in `fresh`. */
static void part_twins(struct scan *s)
{
	struct named *name = mem_array(s->nfresh + 1, sizeof(*name));
	size_t i, n = s->nfresh, keep = 0;

	for (i = 0; i < n; i++)
		name[i] = (struct named){ scan_ref(s, s->fresh[i]),
					  s->fresh[i] };
	qsort(name, n, sizeof(*name), by_name);
	s->nfresh = 0;
	for (i = 0; i < n; i++) {
		if (i > 0 &&
		    finder_by_base(&name[keep].ref, &name[i].ref) == 0) {
			if (!twins_part(&s->twins, &name[keep].ref,
					&name[i].ref))
				s->waiting = true;
			continue;
		}
		keep = i;
		s->fresh[s->nfresh++] = name[i].at;
	}
	free(name);
}

/* Gives each file a UID and a record; DATE, unless it is NULL, says which may
 * be left of expunged messages. */
static void adopt_all(struct scan *s, const struct leftover_date *date)
{
	struct newcomer *c = mem_array(s->nfresh + 1, sizeof(*c));
	const struct index *x = &s->m->x;
	uint32_t n = index_count(x), last = n > 0 ? index_at(x, n - 1)->uid : 0;
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
	free(c);
}

int scan_adopt(struct scan *s)
{
	struct leftover_date *date;
	int code;

	part_twins(s);
	code = find_dates(s, &date);
	if (!code) {
		adopt_all(s, date);
		tell_tallies(s);
	}
	free(date);
	return code;
}
