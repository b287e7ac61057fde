/*
 * The messages of a folder in memory, in UID order, as the journal's records
 * made them. It starts from the snapshot; a large one is mapped, so that
 * opening the folder copies nothing.
 */
#ifndef INDEX_TABLE_H
#define INDEX_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "index/disk.h"
#include "index/parts.h"

/* A message: also the fixed-size record of the snapshot. */
struct entry {
	uint32_t uid;
	uint8_t flags;
	uint8_t dir;	  /* where its file is, as far as we know */
	uint8_t nname;	  /* bytes of its base name */
	uint8_t state;	  /* of enum entry_state; 0 in the snapshot */
	uint32_t letters; /* flags in its file's name */
	uint32_t name;	  /* where the base name begins among the names */
	uint64_t keywords;
	uint64_t modseq;
	int64_t received;
	uint32_t saved;
	uint32_t size;
	uint32_t wire;
	uint32_t ncache;
	uint64_t cache;
};
_Static_assert(sizeof(struct entry) == 64, "entry");

enum entry_state {
	ENTRY_CHANGED = 1 << 0, /* others changed its flags: to be reported */
	ENTRY_GONE = 1 << 1,	/* expunged, still in the table */
	ENTRY_RECENT = 1 << 2,	/* \Recent for this session */
	ENTRY_DIRTY = 1 << 3,	/* its file is to be renamed */
	ENTRY_CACHED = 1 << 4,	/* its place in the cache is to be recorded */
	ENTRY_SEEN = 1 << 5	/* found by the current scan */
};

/* Its fields are for lib/index; others use the functions of index.h. */
struct table {
	struct entry *memory; /* only by entries_at */
	uint32_t n;
	uint32_t nlazy;	     /* the first so many may not be checked yet, */
	struct parts *parts; /* which this knows, or NULL */
	uint32_t room;	     /* entries that fit */
	uint32_t gone;	     /* entries with ENTRY_GONE */
	uint32_t first_gone; /* no such entry before this index */
	bool changed;	     /* some entry has ENTRY_CHANGED */
	bool new_keywords;
	void *map; /* memory of `entry` */
	size_t nmap;
	char *names;	       /* base names: separate memory, or NULL; */
	size_t nmapped;	       /* its size, if it is mapped; */
	size_t nnames;	       /* bytes of names in it */
	struct mapped *mapped; /* watches what is mapped, or NULL */
	struct buf more;       /* those added since, at nnames and up */
	char keyword[64][100];
	unsigned nkeywords;
};

/* Begins an empty table, and frees it. */
void entries_init(struct table *t);
void entries_free(struct table *t);

/* The entry at I, below t->n. */
static inline struct entry *entries_at(const struct table *t, uint32_t i)
{
	if (i < t->nlazy && !t->parts->checked[i / PART_ENTRIES])
		parts_want_entries(t, i / PART_ENTRIES);
	return &t->memory[i];
}

/* The next entry from *I on that is not gone, or NULL; *I moves behind it. */
static inline struct entry *entries_next(const struct table *t, uint32_t *i)
{
	while (*i < t->n && entries_at(t, *i)->state & ENTRY_GONE)
		++*i;
	return *i < t->n ? entries_at(t, (*i)++) : NULL;
}

/* The first index from I on, or t->n, where an entry can be without \Seen, with
 * a file to be renamed, or changed by this session: passes parts that are not
 * checked and have none. */
enum entries_kind { ENTRIES_UNSEEN, ENTRIES_UNSETTLED, ENTRIES_TOUCHED };
uint32_t entries_skip(const struct table *t, uint32_t i,
		      enum entries_kind kind);

/* Bytes in the cache of all entries that are not gone. */
uint64_t entries_cached(const struct table *t);

/* Was a part of the snapshot lost (parts.h)? */
static inline bool entries_are_broken(const struct table *t)
{
	return t->parts && t->parts->broken;
}

/* Makes room for N entries and some more. False: no memory. */
bool entries_reserve(struct table *t, uint32_t n);

/* Applies record R. OWN: made by this session, so not to be reported.
 * ERR_CORRUPT: it contradicts what came before. */
int entries_apply(struct table *t, const struct record *r, bool own);

/* For a session that follows another journal: entry I is now like NOW; gone;
 * or new, with NAME. */
void entries_follow(struct table *t, uint32_t i, const struct entry *now);
void entries_mark_gone(struct table *t, uint32_t i);
void entries_copy(struct table *t, const struct entry *now, const char *name);
void entries_follow_keywords(struct table *t, const struct table *now);

/* Takes out all that is gone; calls TAKEN for each,
 * with its index before and the index that the next one gets. */
typedef void entries_taken(void *context, uint32_t was, uint32_t now,
			   const struct entry *e);
void entries_take_out(struct table *t, entries_taken *taken, void *context);

/* Gives GONE messages that are in the N ranges of UIDs at R, ascending and apart,
 * and not in the table, their place there: as gone, with nothing but MODSEQ. All
 * of the table's up to the last of R are in them. There is room for GONE more. */
void entries_put_gone(struct table *t, const struct record_range *r, size_t n,
		      uint32_t gone, uint64_t modseq);

/* Index of the first entry with UID or higher, or t->n. */
uint32_t entries_find(const struct table *t, uint32_t uid);
/* The entry of UID, or NULL. */
struct entry *entries_get(struct table *t, uint32_t uid);

/* The base name of E, e->nname bytes; NULL if the snapshot is wrong. */
const char *entries_name(const struct table *t, const struct entry *e);

/* Counts of all entries that are not gone into the fields of T. */
void entries_count(const struct table *t, struct totals *totals);

/* What one entry adds to T's counts, times SIGN (1 or -1). */
void totals_add(struct totals *t, const struct entry *e, int sign);

/* Appends a RECORD_ADD entry for E with its name; KEY as there; CONTENT is
 * the checksum, or NULL if it is not known. */
void entries_put(struct buf *b, const struct entry *e, const char *name,
		 uint64_t key, const uint32_t *content);

#endif
