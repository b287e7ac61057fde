/*
 * The lines of a table in text form: a line that begins with white space
 * continues the one before; empty lines, and lines whose first visible
 * character is `#`, are ignored everywhere.
 */
#ifndef TABLE_TEXT_H
#define TABLE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define TEXT_FILE_MAX (64 << 20) /* bytes of a table in text form */

struct text_lines {
	const char *at;
	const char *end;
	unsigned next;	/* number of the physical line at `at` */
	unsigned line;	/* first physical line of the logical one */
	struct buf buf; /* the logical line */
};

/* Begins the lines of TEXT, which stays the caller's and must outlive L. */
void text_begin(struct text_lines *l, const char *text, size_t n);
void text_end(struct text_lines *l);

/* The next logical line without its line end, in L's memory (it may be
 * written to), or NULL at the end. */
char *text_next(struct text_lines *l);

/* Reads PATH whole into B (initialised here). False and a line in FAULTS if
 * it cannot be read, is too large, or holds a NUL. */
bool text_read(const char *path, struct buf *b, struct buf *faults);

/* Why VALUE cannot be in a table (it may have TABLE_VALUE_MAX bytes), or NULL:
 * so that its author learns it before a lookup does. */
const char *text_value_fault(const char *value);

/* Splits a line "key value" in place; quotes in the key protect white space.
 * False if there is no value. */
bool text_pair(char *line, char **key, char **value);

#endif
