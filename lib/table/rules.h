/*
 * An ordered list of rules, one per line, of which the first that matches
 * counts: what cidr: and pcre: tables have in common.
 *
 *     PATTERN  value        !PATTERN  value
 *     if PATTERN  …  endif   (and if !PATTERN): the rules between are tried
 *                            only if PATTERN matches; may be nested
 *
 * Between the files of lib/table.
 */
#ifndef TABLE_RULES_H
#define TABLE_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "table/text.h"

struct rules_kind {
	/* Parses a pattern at the beginning of TEXT (what follows it, with
	 * the white space, is left in *REST). NULL and *WHY if it is wrong. */
	void *(*parse)(char *text, char **rest, const char **why);

	/* Does PATTERN match KEY? ERR_OK, ERR_NOT_FOUND, or ERR_TEMP. If
	 * VALUE is not NULL and it does, writes RESULT (a rule's right side)
	 * there. */
	int (*match)(const void *pattern, const char *key, const char *result,
		     struct buf *value);

	void (*free)(void *pattern);

	/* May RESULT refer to parts of the key for this PATTERN? NULL if so,
	 * else what is wrong. Negated patterns match nothing to refer to. */
	const char *(*check)(const void *pattern, bool negated,
			     const char *result);
};

struct rules;

/* Reads the rules of R's file; NULL if it cannot be read. A line that is not
 * understood is left out. */
struct rules *rules_load(const struct rules_kind *kind,
			 const struct text_reading *r);
void rules_free(void *rules);

/* The `get` of a table type. */
int rules_get(void *rules, const char *key, struct buf *value);

#endif
