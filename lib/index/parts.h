/*
 * A large snapshot is mapped, and each part of it has a checksum, which is
 * compared when something in it is first wanted: so what a session does not
 * look at costs nothing. What the snapshot says of a part besides is true until
 * then, since an entry is changed only after it was looked at.
 *
 * A part that is damaged is made anew from the journal, with all others that
 * were not yet wanted. If that cannot be done either the table is `broken`: the
 * entries of the part are as if expunged, and the index is not to be used any
 * more.
 */
#ifndef INDEX_PARTS_H
#define INDEX_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PART_ENTRIES 256 /* of 64 bytes */
#define PART_NAMES 16384 /* bytes of names */

/* On disk; for the names of a part there is only a checksum. */
struct part {
	uint32_t crc;
	uint32_t first; /* its UIDs are between these, both included */
	uint32_t last;
	uint32_t cached;    /* bytes in the cache */
	uint16_t unseen;    /* entries without \Seen */
	uint16_t unsettled; /* whose file is to be renamed */
};
_Static_assert(sizeof(struct part) == 20, "part");

struct parts {
	uint32_t n;    /* entries */
	size_t nnames; /* bytes of names */
	struct part *of_entries;
	uint32_t *of_names;  /* checksums, in the same memory */
	uint8_t *checked;    /* 1: a part of entries was compared */
	uint8_t *names_read; /* the same of names, in the same memory */
	int journal;	     /* a copy, for repair; -1: none */
	off_t end;	     /* of the records that are in the snapshot */
	bool broken;
	bool mended;
};

/* Bytes of what describes the parts. */
size_t parts_size(uint32_t n, size_t nnames);

/* For a snapshot of N entries and NNAMES bytes of names. Its description has to
 * be read into `of_entries`, parts_size bytes. */
struct parts *parts_new(uint32_t n, size_t nnames, int journal, off_t end);
void parts_free(struct parts **p);

/* Are the UIDs in order from part to part? */
bool parts_are_in_order(const struct parts *p);

/* Describes the N entries at E and their names into OUT, parts_size bytes. */
struct entry;
void parts_describe(const struct entry *e, uint32_t n, const char *names,
		    size_t nnames, void *out);

struct table;

/* The part is first wanted. */
void parts_want_entries(const struct table *t, uint32_t part);
/* False: the names there are lost. */
bool parts_want_names(const struct table *t, size_t from, size_t n);

/* Wants all; false, and nothing is mended, if any is damaged. */
bool parts_are_right(const struct table *t);

#endif
