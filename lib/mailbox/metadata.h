/*
 * Annotations (RFC 5464): entries with values that mail programs keep with a
 * folder, or with the account as a whole. Each folder's are in one small file
 * in its directory (posthorn-mailbox(5)), so they follow it when it is renamed
 * and end with it.
 *
 * A name is a path of lower case, since case does not matter: "/private/…" or
 * "/shared/…". A value is any bytes. A folder's special use is its entry
 * METADATA_USE (RFC 6154 section 4), which is kept where CREATE keeps it.
 */
#ifndef MAILBOX_METADATA_H
#define MAILBOX_METADATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "mailbox/store.h"

/* Far above what mail programs need and RFC 5464 section 4.1 demands; they
 * bound what one folder may add to the disk beside the quota. */
#define METADATA_NAME_SIZE 256 /* with the NUL */
#define METADATA_VALUE_MAX 65536
#define METADATA_ENTRIES_MAX 100
#define METADATA_TOTAL_MAX (2 * METADATA_VALUE_MAX) /* names and values */

#define METADATA_USE "/private/specialuse"

struct metadata_entry {
	char *name;
	char *value; /* NULL: none, in what is to be changed */
	size_t n;
};

/* Begins as { 0 }; sorted by name. */
struct metadata {
	struct metadata_entry *entry;
	size_t n;
};
void metadata_free(struct metadata *m);

/* Sets the entry NAME to a copy of VALUE (may be NULL), N. */
void metadata_set(struct metadata *m, const char *name, const char *value,
		  size_t n);
void metadata_remove(struct metadata *m, const char *name);
const struct metadata_entry *metadata_find(const struct metadata *m,
					   const char *name);

/* TEXT as a name, of an entry or of a level above some. ERR_SYNTAX. */
int metadata_name(const char *text, char name[METADATA_NAME_SIZE]);

/* May NAME have a value? Else it is only a level (RFC 5464 section 3.2). */
bool metadata_is_entry(const char *name);

/* The entries of the FOLDER of S; "": of the account. A file that is damaged
 * is put aside, with a line in the log, and has none. ERR_NOT_FOUND: no such
 * folder; ERR_DENIED, ERR_IO … */
int metadata_read(struct store *s, const char *folder,
		  struct metadata *m) MUST_CHECK;

/* The same if the folder's special use is known: USE, or NULL. */
int metadata_read_with(struct store *s, const char *folder, const char *use,
		       struct metadata *m) MUST_CHECK;

/* Which file holds those of FOLDER: another one after each change. */
struct metadata_stamp {
	uint64_t file;
	uint64_t size;
	int64_t changed; /* 0: there is none */
};
struct metadata_stamp metadata_stamp(struct store *s, const char *folder);
bool metadata_stamp_equal(const struct metadata_stamp *a,
			  const struct metadata_stamp *b);

/* Makes all CHANGES, durably, or none. A special use that is given to a folder
 * is taken from the one that had it. Beside the codes of metadata_read:
 * ERR_TOO_LONG: a value; ERR_LIMIT: there are too many, or too many bytes;
 * ERR_UNSUPPORTED: not a special use that this folder can have. */
int metadata_change(struct store *s, const char *folder,
		    const struct metadata *changes) MUST_CHECK;

/* The folder TO, which has none, gets those of FROM. */
int metadata_copy(struct store *s, const char *from,
		  const char *to) MUST_CHECK;

/* For lib/mailbox.
 *
 * Can the folder's file, in DIR, be read? One that is not there can. */
int metadata_check(int dir) MUST_CHECK;

#endif
