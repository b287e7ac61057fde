/*
 * Builds a table's database file from its text: for `posthorn map` and
 * newaliases.
 */
#ifndef TABLE_BUILD_H
#define TABLE_BUILD_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum table_source {
	TABLE_SOURCE_MAP,    /* lines "key value" */
	TABLE_SOURCE_TARGETS, /* the same, values are targets (aliases.h) */
	TABLE_SOURCE_ALIASES /* aliases(5) */
};

struct table_built {
	size_t entries;
	size_t longest; /* value, in bytes */
	size_t bytes;	/* of all values */
};

/* Reads the text file that SPEC ("hash:/path", "btree:/path") names and makes
 * the database beside it: written under another name, synced, renamed, so that
 * readers have the old table or the new one. It gets the text file's owner
 * (where allowed) and mode. Faulty lines are left out and named in FAULTS; if
 * one was not understood, the database says so, and of a name that it does not
 * have a lookup gives ERR_UNSURE. ERR_UNSUPPORTED if tables of SPEC's type
 * have no such file; after any other error too FAULTS has a line, and the old
 * table stays. */
int table_build(const char *spec, enum table_source source,
		struct table_built *built, struct buf *faults) MUST_CHECK;

#endif
