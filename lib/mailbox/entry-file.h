/*
 * A small file of named values in a folder's directory: annotations
 * (metadata.h) and access lists (acl.h). It is replaced as a whole, under the
 * user's lock, as the other small files of a Maildir are; a reader needs no
 * lock. One that is damaged is put aside under another name, and counts as
 * empty from then on.
 *
 * Its text: a line "WORD 1 CRC", and for each entry a line "SIZE NAME", so many
 * bytes, and a line end. CRC is the CRC-32C of what follows it.
 */
#ifndef MAILBOX_ENTRY_FILE_H
#define MAILBOX_ENTRY_FILE_H

#include "mailbox/metadata.h"

struct entry_kind {
	const char *word; /* the file's first */
	const char *lost; /* what a damaged file means, for the log */
	size_t max;	  /* entries */
	bool grants;	  /* one that is not the user's own counts as damaged */
	bool (*is_good)(const struct metadata_entry *e);
};

/* An open place of entries: a folder's directory, or the account's. */
struct entry_place {
	struct store *s;
	const char *folder; /* "": the account */
	const char *file;
	const struct entry_kind *kind;
	int dir;     /* the caller closes it */
	bool locked; /* the user's lock is held */
};

/* ERR_NOT_FOUND: no such folder; ERR_DENIED, ERR_IO … */
int entry_open(struct entry_place *p, struct store *s, const char *folder,
	       const char *file, const struct entry_kind *kind) MUST_CHECK;

/* Reads into an empty M. */
int entry_read(struct entry_place *p, struct metadata *m) MUST_CHECK;

/* Replaces the file, durably; the user's lock is held. Without entries it goes,
 * which a full disk does not hinder. */
int entry_write(const struct entry_place *p,
		const struct metadata *m) MUST_CHECK;

/* Can FILE in DIR be read? One that is not there can. ERR_CORRUPT: it is
 * damaged. */
int entry_check(int dir, const char *file,
		const struct entry_kind *kind) MUST_CHECK;

/* The text: appended to OUT, and read from TEXT, N into an empty M.
 * ERR_CORRUPT, with the cause. */
void entry_print(const struct entry_kind *kind, const struct metadata *m,
		 struct buf *out);
int entry_parse(const struct entry_kind *kind, const char *text, size_t n,
		struct metadata *m) MUST_CHECK;

#endif
