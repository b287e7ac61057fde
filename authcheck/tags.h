/*
 * Tag lists, "name=value; name=value" (RFC 6376 section 3.2): DKIM
 * signatures, DKIM keys, DMARC records. They come from strangers.
 */
#ifndef AUTHCHECK_TAGS_H
#define AUTHCHECK_TAGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

#define TAGS_MAX 64

struct tags {
	struct tag {
		const char *name;
		const char *value; /* without white space at either end */
	} tag[TAGS_MAX];
	size_t n;
};

/* Parses TEXT, N strictly; strings from A. False if any of it is not a tag, a
 * tag occurs twice, or there are more than TAGS_MAX. An empty list is
 * invalid. */
bool tags_parse(struct arena *a, const char *text, size_t n, struct tags *t);

/* The same leniently, for DMARC (RFC 7489 section 6.3): what is not a tag is
 * skipped, and of a tag that occurs twice the first counts. Only tags whose
 * name is in WANTED, in any case, are taken, under the name there: fewer than
 * TAGS_MAX names and NULL. So there may be any number of others. */
void tags_parse_lenient(struct arena *a, const char *text, size_t n,
			const char *const *wanted, struct tags *t);

/* The value of NAME (names are case-sensitive), or NULL. */
const char *tags_get(const struct tags *t, const char *name);

/* The value of NAME without any white space, from A, or NULL: base64 and
 * lists may be folded. */
const char *tags_get_compact(struct arena *a, const struct tags *t,
			     const char *name);

/* Is WORD, case folded, one of the words of LIST, separated by SEPARATOR and
 * white space? */
bool tags_list_has(const char *list, char separator, const char *word);

#endif
