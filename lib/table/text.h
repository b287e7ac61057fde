/*
 * The lines of a table in text form: a line that begins with white space
 * continues the one before; empty lines, and lines whose first visible
 * character is `#`, are ignored everywhere, and so is the byte order mark that
 * some editors put before the first line.
 *
 * A line that is not understood may have held any name. So it is not only
 * reported, but also noted as a doubt (struct text_reading): a name that the
 * table does not have is then not certainly unknown.
 */
#ifndef TABLE_TEXT_H
#define TABLE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"

#define TEXT_FILE_MAX (64 << 20) /* bytes of a table in text form */

/* A file that is read, and what is said of it. */
struct text_reading {
	const char *path;
	struct buf *faults; /* a line for each fault */
	struct buf *doubt;  /* the first line that was not understood: where
			     * and why, as one line without its end */
	bool targets;	    /* the values are lists of targets, aliases.h */
};

/* A fault of a line whose names are known. */
void text_fault(const struct text_reading *r, unsigned line, const char *why);

/* A line that is not understood. Several calls for one line count as one. */
void text_unclear(const struct text_reading *r, unsigned line,
		  const char *why);

struct text_lines {
	const char *at;
	const char *end;
	unsigned next;	/* number of the physical line at `at` */
	unsigned line;	/* first physical line of the logical one */
	const char *fault; /* why the logical line is none, or NULL */
	struct buf buf; /* the logical line */
};

/* Begins the lines of TEXT, which stays the caller's and must outlive L. */
void text_begin(struct text_lines *l, const char *text, size_t n);
void text_end(struct text_lines *l);

/* The next logical line without its line end, in L's memory (it may be
 * written to), or NULL at the end. If L->fault is set it is not understood,
 * whatever it is a line of. */
char *text_next(struct text_lines *l);

/* After the byte order mark of UTF-8 at TEXT, if there is one. */
const char *text_after_mark(const char *text, size_t n);

/* Reads R's file whole into B (initialised here). False and a fault if it
 * cannot be read, is too large, or holds a NUL. */
bool text_read(const struct text_reading *r, struct buf *b);

/* Why VALUE cannot be in a table (it may have TABLE_VALUE_MAX bytes), or NULL:
 * so that its author learns it before a lookup does. */
const char *text_value_fault(const char *value);

/* Why VALUE is no list of targets, if R says that it must be one; or NULL. It
 * may be text in A. */
const char *text_targets_fault(const struct text_reading *r, struct arena *a,
			       const char *value);

/* Why nothing can ever be looked up under KEY, or NULL: a sign of another
 * table's syntax at its end, or a character that nobody sees. */
const char *text_key_fault(const char *key);

/* Splits a line "key value" in place; quotes in the key protect white space.
 * NULL, or why the line is not understood. */
const char *text_pair(char *line, char **key, char **value);

#endif
