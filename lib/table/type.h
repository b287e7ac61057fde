/* Between the files of lib/table: what a type of table is. */
#ifndef TABLE_TYPE_H
#define TABLE_TYPE_H

#include "table/table.h"
#include "table/text.h"

enum {
	TABLE_FILE = 1 << 0,	 /* the name is a path, watched for changes */
	TABLE_PATTERN = 1 << 1,	 /* see table_is_pattern */
	TABLE_EXACT = 1 << 2,	 /* keys keep their case */
	TABLE_MAY_LACK = 1 << 3, /* no file: nothing is found for certain */
	TABLE_OWN = 1 << 4	 /* each child opens it: no shared handle */
};

struct table_type {
	const char *name;
	const char *help;
	const char *suffix; /* added to the name to get the file, or "" */
	unsigned flags;

	/* Reads the file (or the name itself) R->path: the content, or NULL.
	 * Every fault is a line in R->faults. */
	void *(*load)(const struct text_reading *r);

	/* ERR_OK and the value appended, ERR_NOT_FOUND or ERR_TEMP; with
	 * ERR_TEMP, VALUE holds the reason. */
	int (*get)(void *content, const char *key, struct buf *value);

	void (*free)(void *content);
};

/* The key under which a database has what was not understood of its text, with
 * its NUL. No text has such a key. */
#define TABLE_DOUBT "\001not understood"

extern const struct table_type table_hash, table_btree, table_texthash,
	table_aliases, table_inline, table_static, table_cidr, table_pcre;

#endif
