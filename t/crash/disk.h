/*
 * A model of a disk with a cache that is lost when the power goes.
 *
 * Entries of the record are applied in order. A file has content that is
 * stable and changes that are pending; so have the names, all in one list. A
 * sync that ended makes stable what was done to that file, or in that folder,
 * before it began: content by a sync of the file, names only by one of their
 * folder. Nothing else does, though many file systems do more.
 *
 * Of what is pending a power cut leaves anything: each sector of 512 bytes as
 * it was after any of the changes to it, the size as after any change, each
 * name old or new. Only what every file system keeps is taken for granted: a
 * sector is whole, a rename happens or not, and changes of one name have
 * happened in their order.
 *
 * The record must explain all that it says: an entry for a file or name in a
 * recorded tree that came about in no way known, and a tree that is not at the
 * end what the entries make of it, are gaps; then nothing is proven. What the
 * programs do elsewhere on the same file system is in the record as well, and
 * has no part in this, though it may use numbers again that were in a tree.
 *
 * A file that grew may be as long as it was made while its content is still
 * zeros, each sector by itself: ext4 since Linux 5.6 writes into extents that
 * read as zeros until the write is done, and another file's sync can make size
 * and name durable before.
 *
 * A disk that is `ordered` keeps this in order, as ext4 and XFS do: a file's
 * length is noted when its content has left the machine, and names and such
 * notes become durable as they were made. So what was waited for by
 * sync_file_range is there before each later name.
 */
#ifndef T_CRASH_DISK_H
#define T_CRASH_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "t/crash/record.h"

#define SECTOR 512

/* A change of a file's content; `data` is in the record. */
struct change {
	uint32_t type; /* OP_WRITE, OP_TRUNCATE, OP_PUNCH */
	uint64_t when; /* number of the entry */
	int64_t from, to;
	const char *data;
};

struct object {
	uint64_t ino;
	bool folder;
	bool former;	  /* another may have its number */
	bool queue;	  /* in the tree of the queue */
	const char *kind; /* what it is to the suite: disk_kinds */
	char *stable;
	size_t size;
	struct change *change;
	size_t nchanges;
	int64_t mtime;	/* of a folder, stable */
	uint32_t index; /* its place in the disk's list */
};

struct name {
	struct object *dir;
	struct object *to;
	uint16_t n;
	const char *text; /* in the record */
};

/* A pending change of names: the first, if it is there, goes; the second, if
 * it is there, comes. */
struct rename {
	uint64_t when;
	struct name gone, come;
	int64_t gone_mtime, come_mtime;
};

struct names {
	struct name *name;
	size_t n;
};

struct sync {
	uint32_t pid;
	uint64_t ino;
	uint64_t when;
};

struct disk {
	struct object **object;
	size_t nobjects;
	struct names stable, now;
	struct rename *pending;
	size_t npending;
	struct sync *sync; /* begun */
	size_t nsyncs;
	uint64_t when;	     /* entries applied */
	bool ordered;	     /* see above */
	const char *without; /* syncs of this kind count as not made */
	bool based;	     /* what was there before is known */
	uint64_t ended;	     /* names compared at the end, and taken out */
	uint64_t gaps;	     /* things that the record does not explain */
	char gap[256];	     /* the first of them */
};

/* "slot", "journal", "message", "folder" (new and cur), "other"; NULL ends
 * the list. */
extern const char *const disk_kinds[];

/* The top of the tree: base folders whose `dir` is this are in it. */
#define DISK_TOP UINT64_MAX

void disk_init(struct disk *d);
void disk_free(struct disk *d);

/* Applies entry E with NAME, NAME2 and DATA, which live as long as D. True if
 * it changed what a power cut could leave. */
bool disk_apply(struct disk *d, const struct record_entry *e, const char *name,
		const char *name2, const char *data);

/* Counts a gap: NAME of N bytes, and why. Before the base nothing is known
 * yet. Gives false. */
bool disk_gap(struct disk *d, const char *name, size_t n, const char *why);

/* After the last entry: counts as gaps what is not there that should be. All
 * content becomes stable. */
void disk_end(struct disk *d);

/* Applies R to N. */
void names_change(struct names *n, const struct rename *r);
void names_copy(struct names *to, const struct names *from);
const struct name *names_find(const struct names *n, const struct object *dir,
			      const char *text, size_t size);
/* Do both change the same name? */
bool rename_touches(const struct rename *a, const struct rename *b);

/* The size of O after its first K pending changes. */
int64_t object_size(const struct object *o, size_t k);

#endif
