/*
 * The table of messages: entries of fixed size in UID order, and their base
 * names one after another. Both start from the snapshot, and grow by what the
 * journal's records add; for each type of record a function here applies it
 * to the table.
 */
#include "index/table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "index/history.h"
#include "index/journal.h"
#include "index/mapped.h"
#include "messages/flags.h"
#include "messages/messages.h"

#define ROOM_AHEAD 4096 /* entries reserved beyond what is there */
#define NAMES_MAX UINT32_MAX

void entries_init(struct table *t)
{
	memset(t, 0, sizeof(*t));
	buf_init(&t->more, NAMES_MAX);
}

void entries_free(struct table *t)
{
	parts_free(&t->parts);
	mapped_end(&t->mapped);
	if (t->map)
		munmap(t->map, t->nmap);
	if (t->nmapped > 0)
		munmap(t->names, t->nmapped);
	else
		free(t->names);
	buf_free(&t->more);
	entries_init(t);
}

bool entries_reserve(struct table *t, uint32_t n)
{
	size_t bytes = ((size_t)n + ROOM_AHEAD) * sizeof(struct entry);
	uint32_t i;
	void *p;

	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return false;
	for (i = 0; i < t->nlazy; i += PART_ENTRIES)
		entries_at(t, i);
	t->nlazy = 0;
	if (t->n > 0)
		memcpy(p, t->memory, (size_t)t->n * sizeof(struct entry));
	if (t->mapped)
		mapped_drop(t->mapped, t->map);
	if (t->map)
		munmap(t->map, t->nmap);
	t->map = p;
	t->nmap = bytes;
	t->memory = p;
	t->room = n + ROOM_AHEAD;
	return true;
}

/* What the snapshot says of the part of entry I, if it is not checked yet. */
static const struct part *unchecked(const struct table *t, uint32_t i)
{
	i /= PART_ENTRIES;
	return (size_t)i * PART_ENTRIES < t->nlazy && !t->parts->checked[i]
		       ? &t->parts->of_entries[i]
		       : NULL;
}

static bool may_have(const struct part *part, enum entries_kind kind)
{
	switch (kind) {
	case ENTRIES_UNSEEN:
		return part->unseen > 0;
	case ENTRIES_UNSETTLED:
		return part->unsettled > 0;
	case ENTRIES_TOUCHED:
		break;
	}
	return false;
}

/* The first entry of the part after that of I, or t->n. */
static uint32_t next_part(const struct table *t, uint32_t i)
{
	uint32_t next = (i / PART_ENTRIES + 1) * PART_ENTRIES;

	return next < t->n ? next : t->n;
}

uint32_t entries_skip(const struct table *t, uint32_t i, enum entries_kind kind)
{
	const struct part *part;

	while (i < t->n && (part = unchecked(t, i)) && !may_have(part, kind))
		i = next_part(t, i);
	return i < t->n ? i : t->n;
}

uint64_t entries_cached(const struct table *t)
{
	const struct part *part;
	uint64_t sum = 0;
	uint32_t i, end;

	for (i = 0; i < t->n; i = end) {
		part = unchecked(t, i);
		end = next_part(t, i);
		sum += part ? part->cached : 0;
		for (; !part && i < end; i++)
			if (!(entries_at(t, i)->state & ENTRY_GONE))
				sum += entries_at(t, i)->ncache;
	}
	return sum;
}

/* Is the UID of entry I below UID? */
static bool is_below(const struct table *t, uint32_t i, uint32_t uid)
{
	const struct part *part = unchecked(t, i);

	if (part && (uid <= part->first || uid > part->last))
		return uid > part->last;
	return entries_at(t, i)->uid < uid;
}

uint32_t entries_find(const struct table *t, uint32_t uid)
{
	uint32_t low = 0, high = t->n;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (is_below(t, middle, uid))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct entry *entries_get(struct table *t, uint32_t uid)
{
	uint32_t i = entries_find(t, uid);

	return i < t->n && entries_at(t, i)->uid == uid ? entries_at(t, i)
							: NULL;
}

const char *entries_name(const struct table *t, const struct entry *e)
{
	if (e->nname == 0 || e->nname > MESSAGE_BASE_MAX)
		return NULL;
	if (e->name < t->nnames)
		return e->nname <= t->nnames - e->name &&
				       (!t->parts ||
					parts_want_names(t, e->name, e->nname))
			       ? t->names + e->name
			       : NULL;
	if (e->name - t->nnames > t->more.len ||
	    e->nname > t->more.len - (e->name - t->nnames))
		return NULL;
	return t->more.data + (e->name - t->nnames);
}

void totals_add(struct totals *t, const struct entry *e, int sign)
{
	uint32_t by = (uint32_t)sign;
	uint64_t size = e->wire ? e->wire : e->size;

	t->messages += by;
	if (!(e->flags & MAILBOX_SEEN))
		t->unseen += by;
	if (e->flags & MAILBOX_DELETED)
		t->deleted += by;
	if (e->uid > t->claimed)
		t->recent += by;
	t->bytes += sign > 0 ? size : -size;
}

void entries_count(const struct table *t, struct totals *totals)
{
	uint32_t i;

	totals->messages = totals->unseen = totals->deleted = 0;
	totals->recent = 0;
	totals->bytes = 0;
	for (i = 0; i < t->n; i++)
		if (!(entries_at(t, i)->state & ENTRY_GONE))
			totals_add(totals, entries_at(t, i), 1);
}

void entries_put(struct buf *b, const struct entry *e, const char *name,
		 uint64_t key, const uint32_t *content)
{
	struct record_add add = {
		.uid = e->uid,
		.flags = e->flags,
		.dir = e->dir,
		.nname = e->nname,
		.letters = e->letters,
		.size = e->size,
		.wire = e->wire,
		.ncache = e->ncache,
		.cache = e->cache,
		.keywords = e->keywords,
		.modseq = e->modseq,
		.received = e->received,
		.saved = e->saved,
		.known = content != NULL,
		.content = content ? *content : 0,
		.key = key,
	};

	buf_put(b, &add, sizeof(add));
	buf_put(b, name, e->nname);
	record_pad(b);
}

/* Base names become parts of paths: nothing may lead out of the folder. */
static bool good_name(const char *name, size_t n)
{
	return n > 0 && n <= MESSAGE_BASE_MAX && name[0] != '.' &&
	       !memchr(name, '/', n) && !memchr(name, '\0', n);
}

static int add_one(struct table *t, const struct record_add *a,
		   const char *name)
{
	struct entry *e;

	if (!good_name(name, a->nname) || a->dir >= DIRS ||
	    (t->n > 0 && a->uid <= entries_at(t, t->n - 1)->uid) || a->uid == 0)
		return ERR_CORRUPT;
	if (t->nnames + t->more.len + a->nname > NAMES_MAX ||
	    (t->n == t->room && !entries_reserve(t, t->n * 2)))
		return ERR_LIMIT;
	e = &t->memory[t->n];
	memset(e, 0, sizeof(*e));
	e->uid = a->uid;
	e->flags = a->flags & MAILBOX_FLAGS_ALL;
	e->dir = a->dir;
	e->nname = a->nname;
	e->letters = a->letters;
	e->name = (uint32_t)(t->nnames + t->more.len);
	e->keywords = a->keywords;
	e->modseq = a->modseq;
	e->received = a->received;
	e->saved = a->saved;
	e->size = a->size;
	e->wire = a->wire;
	e->ncache = a->ncache;
	e->cache = a->cache;
	buf_put(&t->more, name, a->nname);
	t->n++;
	return ERR_OK;
}

static int apply_add(struct table *t, const struct record *r)
{
	size_t n;
	const char *p = record_payload(r, &n);
	uint32_t i;

	for (i = 0; i < r->count; i++) {
		const char *item = p;
		struct record_add a;
		int code;

		if (!record_add_next(&p, &n, &a) || a.uid >= r->t.uidnext)
			return ERR_CORRUPT;
		code = add_one(t, &a, item + sizeof(a));
		if (code)
			return code;
	}
	return ERR_OK;
}

void entries_mark_gone(struct table *t, uint32_t i)
{
	if (entries_at(t, i)->state & ENTRY_GONE)
		return;
	entries_at(t, i)->state |= ENTRY_GONE;
	if (t->gone++ == 0 || i < t->first_gone)
		t->first_gone = i;
}

void entries_take_out(struct table *t, entries_taken *taken, void *context)
{
	uint32_t from, to;

	if (t->gone == 0)
		return;
	for (from = to = t->first_gone; from < t->n; from++) {
		struct entry *e = entries_at(t, from);

		if (e->state & ENTRY_GONE)
			taken(context, from, to, e);
		else
			*entries_at(t, to++) = *e;
	}
	t->n = to;
	t->gone = 0;
}

void entries_put_gone(struct table *t, const struct record_range *r, size_t n,
		      uint32_t gone, uint64_t modseq)
{
	uint32_t from = t->n, to = t->n + gone;

	/* from the end on: all move to where they have room among them */
	t->n = to;
	while (n-- > 0) {
		uint32_t uid = r[n].last;

		while (from > 0 && entries_at(t, from - 1)->uid > uid)
			*entries_at(t, --to) = *entries_at(t, --from);
		for (;; uid--) {
			if (from > 0 && entries_at(t, from - 1)->uid == uid) {
				*entries_at(t, --to) = *entries_at(t, --from);
			} else {
				*entries_at(t, --to) =
					(struct entry){ .uid = uid,
							.modseq = modseq };
				entries_mark_gone(t, to);
			}
			if (uid == r[n].first)
				break;
		}
	}
}

static void apply_range(struct table *t, const void *item, uint64_t modseq)
{
	struct record_range range;
	uint32_t i;

	memcpy(&range, item, sizeof(range));
	for (i = entries_find(t, range.first);
	     i < t->n && entries_at(t, i)->uid <= range.last; i++) {
		if (!(entries_at(t, i)->state & ENTRY_GONE))
			entries_at(t, i)->modseq = modseq;
		entries_mark_gone(t, i);
	}
}

static void set_flags(struct table *t, struct entry *e, unsigned flags,
		      uint64_t keywords, uint64_t modseq, bool own)
{
	e->flags = flags & MAILBOX_FLAGS_ALL;
	e->keywords = keywords;
	e->modseq = modseq;
	if (own)
		return;
	e->state |= ENTRY_CHANGED;
	t->changed = true;
}

/* Changes the messages between that of FROM and that of F, unless they are
 * already so. */
static void set_flags_between(struct table *t, uint32_t from,
			      const struct record_flags *f, uint64_t modseq,
			      bool own)
{
	unsigned set = f->flags >> FLAGS_SET_SHIFT & MAILBOX_FLAGS_ALL;
	unsigned clear = f->flags >> FLAGS_CLEAR_SHIFT & MAILBOX_FLAGS_ALL;
	uint32_t i;

	for (i = entries_find(t, from); i < t->n && entries_at(t, i)->uid < f->uid;
	     i++) {
		struct entry *e = entries_at(t, i);
		unsigned flags = (e->flags & ~clear) | set;
		uint64_t keywords =
			f->flags & FLAGS_KEYWORDS ? f->keywords : e->keywords;

		if (e->uid > from &&
		    (flags != e->flags || keywords != e->keywords))
			set_flags(t, e, flags, keywords, modseq, own);
	}
}

static int apply_flags(struct table *t, const struct record *r, bool own)
{
	struct record_flags f = { 0 };
	uint32_t i, from;
	size_t n;
	const char *p = record_payload(r, &n);

	if (r->count > n / sizeof(f))
		return ERR_CORRUPT;
	for (i = 0; i < r->count; i++, p += sizeof(f)) {
		struct entry *e;

		from = f.uid;
		memcpy(&f, p, sizeof(f));
		if (i > 0 && f.flags & FLAGS_SINCE)
			set_flags_between(t, from, &f, r->t.modseq, own);
		e = entries_get(t, f.uid);
		if (e)
			set_flags(t, e, f.flags, f.keywords, r->t.modseq, own);
	}
	return ERR_OK;
}

static void apply_named(struct table *t, const void *item)
{
	struct record_named named;
	struct entry *e;

	memcpy(&named, item, sizeof(named));
	e = entries_get(t, named.uid);
	if (!e || named.dir >= DIRS)
		return;
	e->letters = named.letters;
	e->dir = (uint8_t)named.dir;
}

static void apply_size(struct table *t, const void *item)
{
	struct record_size s;
	struct entry *e;

	memcpy(&s, item, sizeof(s));
	e = entries_get(t, s.uid);
	if (e)
		e->wire = s.wire;
}

static void apply_cached(struct table *t, const void *item)
{
	struct record_cached c;
	struct entry *e;

	memcpy(&c, item, sizeof(c));
	e = entries_get(t, c.uid);
	if (!e)
		return;
	e->cache = c.cache;
	e->ncache = c.ncache;
}

static int apply_keyword(struct table *t, const struct record *r)
{
	size_t n;
	const char *name = record_payload(r, &n);

	n = strnlen(name, n);
	if (r->count != t->nkeywords || r->count >= MAILBOX_KEYWORDS_MAX ||
	    n == 0 || n >= MAILBOX_KEYWORD_SIZE)
		return ERR_CORRUPT;
	memcpy(t->keyword[t->nkeywords], name, n);
	t->keyword[t->nkeywords++][n] = '\0';
	t->new_keywords = true;
	return ERR_OK;
}

/* The folder was restored: clients may know other states with mod-sequences
 * up to this one. */
static void apply_reach(struct table *t, const struct record *r,
			const void *item)
{
	struct record_past past;
	uint32_t i;

	memcpy(&past, item, sizeof(past));
	if (!history_is_reach(&past) || past.modseq != r->t.modseq)
		return;
	for (i = 0; i < t->n; i++)
		entries_at(t, i)->modseq = past.modseq;
}

static void apply_item(struct table *t, const struct record *r,
		       const char *item)
{
	switch (r->type) {
	case RECORD_EXPUNGE:
	case RECORD_UNDO:
	case RECORD_MISSING:
		apply_range(t, item, r->t.modseq);
		break;
	case RECORD_NAMED:
		apply_named(t, item);
		break;
	case RECORD_SIZE:
		apply_size(t, item);
		break;
	case RECORD_CACHED:
		apply_cached(t, item);
		break;
	case RECORD_PAST:
		apply_reach(t, r, item);
		break;
	default:
		break;
	}
}

int entries_apply(struct table *t, const struct record *r, bool own)
{
	static const size_t item_size[RECORD_TYPES] = {
		[RECORD_EXPUNGE] = sizeof(struct record_range),
		[RECORD_UNDO] = sizeof(struct record_range),
		[RECORD_MISSING] = sizeof(struct record_range),
		[RECORD_NAMED] = sizeof(struct record_named),
		[RECORD_SIZE] = sizeof(struct record_size),
		[RECORD_CACHED] = sizeof(struct record_cached),
		[RECORD_PAST] = sizeof(struct record_past),
	};
	size_t n, size = item_size[r->type];
	const char *p = record_payload(r, &n);
	uint32_t i;

	if (r->type == RECORD_ADD)
		return apply_add(t, r);
	if (r->type == RECORD_KEYWORD)
		return apply_keyword(t, r);
	if (r->type == RECORD_FLAGS)
		return apply_flags(t, r, own);
	if (size == 0)
		return ERR_OK;
	if (r->count > n / size)
		return ERR_CORRUPT;
	for (i = 0; i < r->count; i++, p += size)
		apply_item(t, r, p);
	return ERR_OK;
}

void entries_follow(struct table *t, uint32_t i, const struct entry *now)
{
	struct entry *e = entries_at(t, i);

	if (e->flags != now->flags || e->keywords != now->keywords) {
		e->state |= ENTRY_CHANGED;
		t->changed = true;
	}
	e->flags = now->flags;
	e->keywords = now->keywords;
	e->modseq = now->modseq;
	e->letters = now->letters;
	e->dir = now->dir;
	e->wire = now->wire;
	e->cache = now->cache;
	e->ncache = now->ncache;
}

void entries_copy(struct table *t, const struct entry *now, const char *name)
{
	struct entry e = *now;

	if (!name || (t->n == t->room && !entries_reserve(t, t->n * 2)))
		return;
	e.state = 0;
	e.name = (uint32_t)(t->nnames + t->more.len);
	buf_put(&t->more, name, e.nname);
	t->memory[t->n++] = e;
}

void entries_follow_keywords(struct table *t, const struct table *now)
{
	memcpy(t->keyword, now->keyword, sizeof(t->keyword));
	t->new_keywords |= t->nkeywords != now->nkeywords;
	t->nkeywords = now->nkeywords;
}
