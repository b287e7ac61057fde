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
#include "mailbox/marks.h"
#include "mailbox/scan.h"

static void hash_entries(struct scan *s)
{
	struct index *x = &s->m->x;
	size_t size = 64;
	uint32_t i;

	while (size < 2 * (size_t)index_count(x))
		size *= 2;
	s->slot = mem_array(size, sizeof(*s->slot));
	s->mask = size - 1;
	for (i = 0; i < index_count(x); i++) {
		struct entry *e = index_at(x, i);
		const char *name = index_name(x, e);
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
	struct index *x = &s->m->x;
	size_t at = map_hash(base, n) & s->mask;

	for (; s->slot[at]; at = (at + 1) & s->mask) {
		struct entry *e = index_at(x, s->slot[at] - 1);

		if (e->nname == n && memcmp(index_name(x, e), base, n) == 0)
			return e;
	}
	return NULL;
}

struct message_ref scan_ref(const struct scan *s, size_t i)
{
	const struct listing_file *file = &s->l.file[i];
	const char *text = listing_name(&s->l, i);

	return (struct message_ref){ text, file->nbase, file->dir,
				     file->letters, file->spelt ? NULL : text };
}

/* Gives the file the one spelling of its name that we look for. */
static int respell(struct scan *s, size_t i, unsigned dir)
{
	struct listing_file *file = &s->l.file[i];
	struct message_ref from = scan_ref(s, i), to = from;
	int code;

	if (file->dir == dir && file->spelt)
		return ERR_OK;
	to.dir = dir;
	to.raw = NULL;
	code = messages_rename(index_messages(&s->m->x), &from, &to);
	if (code)
		return code;
	file->dir = (uint8_t)dir;
	file->spelt = true;
	return ERR_OK;
}

/* A file with flags belongs in `cur`. */
int scan_settle_name(struct scan *s, size_t i)
{
	const struct listing_file *file = &s->l.file[i];
	int code = respell(s, i, file->letters ? DIR_CUR : file->dir);

	if (code && code != ERR_NOT_FOUND)
		s->waiting = true;
	return code;
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

static bool is_as_known(const struct listing_file *file, const struct entry *e)
{
	return file->spelt && file->dir == e->dir &&
	       file->letters == e->letters;
}

/* Where is E's file? Either found in the listing, or in a place that was not
 * read since nothing happened there. */
static bool is_found(const struct scan *s, const struct entry *e,
		     struct message_ref *there)
{
	uint32_t place = s->place[index_of(&s->m->x, e)];
	struct message_state st;

	if (place > 0) {
		*there = scan_ref(s, place - 1);
		return true;
	}
	/* one that cannot be looked at is there: twins_part will not open it */
	return !(s->l.dirs & 1u << e->dir) && mailbox_ref(s->m, e, there) &&
	       messages_state(index_messages(&s->m->x), there, &st) !=
		       ERR_NOT_FOUND;
}

/* File I is that of E, if E has none yet. Else there are two of one name: the
 * one of the entry is the message. (One that was moved during the listing also
 * looks like two.) */
static void match(struct scan *s, size_t i, struct entry *e)
{
	struct message_ref keep, twin = scan_ref(s, i);
	int code;

	if (is_found(s, e, &keep)) {
		if (!twins_part(&s->twins, &keep, &twin))
			s->waiting = true;
		return;
	}
	code = scan_settle_name(s, i);
	if (!code) {
		compare(s, i, e);
		s->place[index_of(&s->m->x, e)] = (uint32_t)i + 1;
	} else if (code != ERR_NOT_FOUND) {
		e->state |= ENTRY_SEEN; /* it keeps its name, but is there */
	}
}

/* First those that have the names that we know, so that no other takes their
 * place. */
static void sort_out(struct scan *s)
{
	size_t *other = mem_array(s->l.n + 1, sizeof(*other)), nother = 0, i;

	s->fresh = mem_array(s->l.n + 1, sizeof(*s->fresh));
	s->place =
		mem_array((size_t)index_count(&s->m->x) + 1, sizeof(*s->place));
	for (i = 0; i < s->l.n; i++) {
		const char *text = listing_name(&s->l, i);
		struct entry *e = find_entry(s, text, s->l.file[i].nbase);

		if (!e)
			s->fresh[s->nfresh++] = i;
		else if (is_as_known(&s->l.file[i], e))
			match(s, i, e);
		else
			other[nother++] = i;
	}
	for (i = 0; i < nother; i++)
		match(s, other[i],
		      find_entry(s, listing_name(&s->l, other[i]),
				 s->l.file[other[i]].nbase));
	free(other);
}

static bool is_missing(const struct scan *s, const struct entry *e)
{
	return s->l.dirs & 1u << e->dir &&
	       !(e->state & (ENTRY_SEEN | ENTRY_GONE));
}

static bool any_missing(const struct scan *s)
{
	uint32_t i;

	for (i = 0; i < index_count(&s->m->x); i++)
		if (is_missing(s, index_at(&s->m->x, i)))
			return true;
	return false;
}

static void expunge_missing(struct scan *s)
{
	bool joins = false;
	uint32_t i;

	for (i = 0; i < index_count(&s->m->x); i++) {
		struct entry *e = index_at(&s->m->x, i);
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
	return mark_is_pending(&s->b.t) && !s->waiting &&
	       s->l.dirs == BOTH_DIRS &&
	       messages_sync(index_messages(&s->m->x), BOTH_DIRS) == ERR_OK;
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
		mark_removed(t);
	if (messages_stamps(index_messages(&s->m->x), BOTH_DIRS, end) != ERR_OK)
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
	free(s->place);
	listing_free(&s->l);
	s->slot = NULL;
	s->fresh = NULL;
	s->place = NULL;
	s->nfresh = 0;
}

static int give_up(struct scan *s, int code)
{
	batch_drop(&s->b);
	return code;
}

/* Under the lock: the listing becomes records. */
static int judge(struct scan *s, bool confirmed)
{
	struct mailbox *m = s->m;
	int code;

	index_begin(&m->x, &s->b, true);
	s->waiting = false;
	twins_begin(&s->twins, index_messages(&m->x));
	hash_entries(s);
	/* this has looked at all; what was lost must not seem to be missing */
	if (index_is_over(&m->x))
		return give_up(s, ERR_CORRUPT);
	sort_out(s);
	if (!confirmed && any_missing(s))
		return give_up(s, ERR_BUSY);
	code = scan_adopt(s);
	if (code)
		return give_up(s, code);
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
		if (index_is_suspect(&m->x) || index_is_regressed(&m->x) ||
		    mark_is_pending(index_totals(&m->x)) ||
		    index_totals(&m->x)->mark[d] != now[d])
			dirs |= 1u << d;
	return dirs;
}

static bool changed_since(struct scan *s)
{
	int64_t now[DIRS];
	unsigned d;

	if (messages_stamps(index_messages(&s->m->x), BOTH_DIRS, now) != ERR_OK)
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
	int code = messages_stamps(index_messages(&m->x), BOTH_DIRS, now);

	if (code)
		return code;
	dirs = dirs_to_read(m, now);
	if (dirs == 0)
		return ERR_OK;
	code = messages_list(index_messages(&m->x), dirs, &s.l);
	if (!code)
		code = index_lock(&m->x);
	if (!code) {
		code = changed_since(&s) ? ERR_BUSY : judge(&s, false);
		if (code == ERR_BUSY) {
			drop(&s);
			code = messages_list(index_messages(&m->x), BOTH_DIRS,
					     &s.l);
			if (!code)
				code = judge(&s, true);
		}
		index_unlock(&m->x);
	}
	drop(&s);
	if (!code)
		index_trust(&m->x);
	return code;
}
