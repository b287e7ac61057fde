/*
 * The parts of a mapped snapshot: their checksums, compared at the first use,
 * and what replaces a part whose checksum is wrong.
 */
#include "index/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/err.h"
#include "base/mem.h"
#include "index/journal.h"
#include "index/table.h"
#include "log/log.h"
#include "messages/flags.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

/* Numbers of parts. */
static size_t parts_of_entries(uint32_t n)
{
	return ((size_t)n + PART_ENTRIES - 1) / PART_ENTRIES;
}

static size_t parts_of_names(size_t nnames)
{
	return (nnames + PART_NAMES - 1) / PART_NAMES;
}

size_t parts_size(uint32_t n, size_t nnames)
{
	return parts_of_entries(n) * sizeof(struct part) +
	       parts_of_names(nnames) * sizeof(uint32_t);
}

struct parts *parts_new(uint32_t n, size_t nnames, int journal, off_t end)
{
	size_t all = parts_of_entries(n), names = parts_of_names(nnames);
	struct parts *p = mem_alloc(sizeof(*p));

	p->n = n;
	p->nnames = nnames;
	p->of_entries = mem_alloc(parts_size(n, nnames) + 1);
	p->of_names = (uint32_t *)(void *)(p->of_entries + all);
	p->checked = mem_alloc(all + names + 1);
	p->names_read = p->checked + all;
	p->journal = fcntl(journal, F_DUPFD_CLOEXEC, 0);
	p->end = end;
	return p;
}

void parts_free(struct parts **out)
{
	struct parts *p = *out;

	if (!p)
		return;
	if (p->journal >= 0)
		close(p->journal);
	free(p->of_entries);
	free(p->checked);
	free(p);
	*out = NULL;
}

bool parts_are_in_order(const struct parts *p)
{
	size_t i, n = parts_of_entries(p->n);
	uint32_t last = 0;

	for (i = 0; i < n; i++) {
		if (p->of_entries[i].first <= last ||
		    p->of_entries[i].last < p->of_entries[i].first)
			return false;
		last = p->of_entries[i].last;
	}
	return true;
}

/* Entries of part I of N. */
static uint32_t entries_in(uint32_t n, size_t i)
{
	size_t left = n - i * PART_ENTRIES;

	return left < PART_ENTRIES ? (uint32_t)left : PART_ENTRIES;
}

static size_t names_in(size_t nnames, size_t i)
{
	size_t left = nnames - i * PART_NAMES;

	return left < PART_NAMES ? left : PART_NAMES;
}

static struct part describe(const struct entry *e, uint32_t n)
{
	struct part part = {
		.crc = crc32c(0, e, n * sizeof(*e)),
		.first = e[0].uid,
		.last = e[n - 1].uid,
	};
	uint32_t i;

	for (i = 0; i < n; i++) {
		part.cached += e[i].ncache;
		part.unseen += !(e[i].flags & MAILBOX_SEEN);
		part.unsettled +=
			letters_with(e[i].letters, e[i].flags) != e[i].letters;
	}
	return part;
}

void parts_describe(const struct entry *e, uint32_t n, const char *names,
		    size_t nnames, void *out)
{
	struct part *part = out;
	uint32_t *crc = (void *)(part + parts_of_entries(n));
	size_t i;

	for (i = 0; i < parts_of_entries(n); i++)
		part[i] = describe(e + i * PART_ENTRIES, entries_in(n, i));
	for (i = 0; i < parts_of_names(nnames); i++)
		crc[i] = crc32c(0, names + i * PART_NAMES, names_in(nnames, i));
}

/* Can the file be read there? Else touching the memory would kill us. Kernels
 * that cannot say are trusted. */
static bool is_readable(void *p, size_t n)
{
	return madvise(p, n, MADV_POPULATE_READ) == 0 || errno == EINVAL;
}

/* Memory in the place of what cannot be read, since that cannot be written
 * either. */
static void make_writable(void *p, size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (is_readable(p, n))
		return;
	if (mmap(p, (n + page - 1) / page * page, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		log_error("mailbox: no memory for a damaged snapshot: %m");
}

/* A checksum does not prove who wrote it: checks what we rely on. */
static bool is_good(const struct entry *e, uint32_t n, const struct part *part)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		if (e[i].dir >= DIRS || e[i].state != 0 ||
		    (i > 0 && e[i].uid <= e[i - 1].uid))
			return false;
	return e[0].uid == part->first && e[n - 1].uid == part->last;
}

static bool entries_are_right(const struct table *t, size_t i)
{
	const struct parts *p = t->parts;
	const struct part *part = &p->of_entries[i];
	struct entry *e = t->memory + i * PART_ENTRIES;
	uint32_t n = entries_in(p->n, i);

	return is_readable(e, n * sizeof(*e)) &&
	       crc32c(0, e, n * sizeof(*e)) == part->crc && is_good(e, n, part);
}

static bool names_are_right(const struct table *t, size_t i)
{
	const struct parts *p = t->parts;
	size_t n = names_in(p->nnames, i);
	char *names = t->names + i * PART_NAMES;

	return is_readable(names, n) && crc32c(0, names, n) == p->of_names[i];
}

/* Reads the journal, up to what is in the snapshot, into the empty NOW; what is
 * gone is not in it. False: they do not belong together. */
static bool read_journal(const struct parts *p, struct table *now)
{
	const struct record *r = NULL;
	struct journal_walk w;
	uint32_t i, n = 0;
	int code, bad = ERR_OK;

	journal_walk(&w, p->journal, sizeof(struct journal_head));
	while (!bad && w.at < p->end && (r = journal_next(&w)))
		bad = entries_apply(now, r, true);
	code = journal_walk_end(&w);
	if (bad || code || w.at != p->end)
		return false;
	for (i = 0; i < now->n; i++)
		if (!(now->memory[i].state & ENTRY_GONE))
			now->memory[n++] = now->memory[i];
	now->n = n;
	return n == p->n;
}

/* All names in a row, to be freed; each entry gets its place. NULL: they are not
 * those of the snapshot. */
static char *gather_names(const struct parts *p, struct table *now)
{
	char *names = mem_alloc(p->nnames + 1);
	size_t at = 0;
	uint32_t i;

	for (i = 0; i < now->n; i++) {
		struct entry *e = &now->memory[i];
		const char *name = entries_name(now, e);

		if (!name || e->nname > p->nnames - at)
			break;
		memcpy(names + at, name, e->nname);
		e->name = (uint32_t)at;
		at += e->nname;
	}
	if (i == now->n && at == p->nnames)
		return names;
	free(names);
	return NULL;
}

static void put(void *to, const void *from, size_t n, uint8_t *done)
{
	if (!*done) {
		make_writable(to, n);
		memcpy(to, from, n);
	}
	*done = 1;
}

/* Replaces what was not yet wanted, and so is as the snapshot had it. */
static void replace(const struct table *t, struct table *now, const char *names)
{
	struct parts *p = t->parts;
	size_t i, at;

	for (i = 0; i < parts_of_entries(p->n); i++) {
		at = i * PART_ENTRIES;
		put(t->memory + at, now->memory + at,
		    entries_in(p->n, i) * sizeof(struct entry), &p->checked[i]);
	}
	for (i = 0; i < parts_of_names(p->nnames); i++) {
		at = i * PART_NAMES;
		put(t->names + at, names + at, names_in(p->nnames, i),
		    &p->names_read[i]);
	}
	p->mended = true;
}

static bool mend(const struct table *t)
{
	struct table now;
	char *names = NULL;

	entries_init(&now);
	if (entries_reserve(&now, 0) && read_journal(t->parts, &now))
		names = gather_names(t->parts, &now);
	if (names)
		replace(t, &now, names);
	entries_free(&now);
	free(names);
	if (names)
		log_warn("mailbox: the snapshot is damaged: read from the "
			 "journal");
	return names != NULL;
}

static void give_up(struct parts *p)
{
	if (!p->broken)
		log_error("mailbox: the snapshot is damaged, and the journal "
			  "does not say what was there");
	p->broken = true;
}

/* As if expunged; UIDs stay in order. */
static void lose_entries(const struct table *t, size_t i)
{
	struct entry *e = t->memory + i * PART_ENTRIES;
	uint32_t k, n = entries_in(t->parts->n, i);

	make_writable(e, n * sizeof(*e));
	memset(e, 0, n * sizeof(*e));
	for (k = 0; k < n; k++) {
		e[k].uid = t->parts->of_entries[i].first + k;
		e[k].state = ENTRY_GONE;
	}
}

void parts_want_entries(const struct table *t, uint32_t i)
{
	struct parts *p = t->parts;

	if (p->checked[i])
		return;
	if (!entries_are_right(t, i) && !mend(t)) {
		give_up(p);
		lose_entries(t, i);
	}
	p->checked[i] = 1;
}

bool parts_want_names(const struct table *t, size_t from, size_t n)
{
	struct parts *p = t->parts;
	size_t i, last = (from + n - 1) / PART_NAMES;

	for (i = from / PART_NAMES; i <= last; i++) {
		if (p->names_read[i])
			continue;
		if (!names_are_right(t, i) && !mend(t)) {
			give_up(p);
			return false;
		}
		p->names_read[i] = 1;
	}
	return true;
}

bool parts_are_right(const struct table *t)
{
	struct parts *p = t->parts;
	size_t i;

	for (i = 0; p && i < parts_of_entries(p->n); i++) {
		if (!p->checked[i] && !entries_are_right(t, i))
			return false;
		p->checked[i] = 1;
	}
	for (i = 0; p && i < parts_of_names(p->nnames); i++) {
		if (!p->names_read[i] && !names_are_right(t, i))
			return false;
		p->names_read[i] = 1;
	}
	return true;
}
