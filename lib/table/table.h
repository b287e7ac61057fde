/*
 * Tables `type:name`, as in Postfix: they map keys to values. The types are
 * rows in table.c, with one source file each:
 *
 *     hash:/path  btree:/path   Berkeley DB file PATH.db, see table/build.h
 *     texthash:/path            lines "key value", held in memory
 *     aliases:/path             the text of aliases(5) itself, in memory
 *     inline:{ key=value, … }   pairs in the configuration
 *     static:value              the same value for every key
 *     cidr:/path                networks, the key is an IP address
 *     pcre:/path                regular expressions
 *
 * Keys are looked up in lower case (ASCII), except in pcre and cidr tables.
 *
 * A table that is a file is read when it is opened, and again at a lookup
 * after the file changed (base/stamp.h: at once if a new one was renamed to
 * its name, a second after the last write if it is rewritten in place, not at
 * all while it is truncated to nothing). If the new file cannot be used, the
 * former content stays in use and the log says why. A table that could never
 * be read, or a Berkeley DB file that was written to in place, answers
 * ERR_TEMP: a fault of ours is no reason to bounce mail. So does, for missing
 * keys, a table that a process inherited and whose file was truncated before
 * that process looked. A file that is empty when the table is opened is an
 * empty table.
 *
 * A line that is not understood may have held any name. What the other lines
 * say stays in use; but of a key that is not found the table cannot say that
 * there is none: it answers ERR_UNSURE, and so does an aliases: table whose
 * file is missing. A caller may go on looking elsewhere for the same name.
 * When it finds none, that is no reason to refuse mail for good.
 */
#ifndef TABLE_TABLE_H
#define TABLE_TABLE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/str.h"

#define TABLE_VALUE_MAX 1048576 /* bytes of one value */

struct table;

/* Opens SPEC. NULL if SPEC itself is wrong (unknown type, relative path);
 * FAULTS then gets a line. Faults of the file also add a line each, but the
 * table is still given, and answers as said above. TARGETS: its values are
 * lists of targets (table/aliases.h), and a line of its text with something
 * else as the value is not understood. */
struct table *table_open(const char *spec, bool targets, struct buf *faults);
void table_free(struct table **t);

/* Looks KEY up and puts its value into VALUE, which is reset first. ERR_OK,
 * ERR_NOT_FOUND, ERR_UNSURE as said above, or ERR_TEMP: there is an answer, or
 * should be, but not now. The log says why for both. */
int table_get(struct table *t, const char *key, struct buf *value);

/* Checks whether T's file changed, as a lookup does: a child that does so when
 * it starts knows the last content if somebody truncates the file later. */
void table_look(struct table *t);

/* Which line of the text was not understood and why, or "". */
const char *table_doubt(const struct table *t);

/* "type:name" as it was opened. */
const char *table_spec(const struct table *t);

/* Does one value stand for many keys (static, cidr, pcre), so that only
 * whole addresses may be looked up and not their parts? */
bool table_is_pattern(const struct table *t);

/* The owner of the file, as whom its commands run and its files are written: 0
 * for tables in the configuration. */
uid_t table_owner(const struct table *t);

/* Writes a line "type: what it is" for each type into OUT, for --help. */
void table_types(struct buf *out);

/* The tables of a `…_maps` parameter, asked in order. */
struct table_list {
	struct table **table;
	size_t n;
};

/* Opens all SPECS, with TARGETS as in table_open. False if one is wrong; the
 * list then has the others. */
bool table_list_open(struct table_list *l, const struct strlist *specs,
		     bool targets, struct buf *faults);
void table_list_free(struct table_list *l);

/* The first table's answer that is neither ERR_NOT_FOUND nor ERR_UNSURE, else
 * ERR_UNSURE if there was one. Pattern tables match what the tables before
 * them do not name, so they are not asked once that is unsure. *FROM (if not
 * NULL) gets the table that answered. */
int table_list_get(const struct table_list *l, const char *key,
		   struct buf *value, struct table **from);

/* The same, leaving out pattern tables: for parts of an address. */
int table_list_get_part(const struct table_list *l, const char *key,
			struct buf *value, struct table **from);

#endif
