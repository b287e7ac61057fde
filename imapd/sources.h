/*
 * Which folders ESEARCH searches, "IN (…)" of RFC 7377, and of which NOTIFY
 * tells: the specifiers of RFC 5465 section 6.
 */
#ifndef IMAPD_SOURCES_H
#define IMAPD_SOURCES_H

#include <stdbool.h>
#include <stddef.h>

#include "imapd/args.h"
#include "imapd/session.h"

struct source {
	const struct source_kind *kind;
	const char *name; /* of the folder, for those that take one */
};

struct sources {
	struct source *source;
	size_t n;
	bool selected; /* one is the selected folder */
	bool others;   /* there are other ones */
	bool theirs;   /* one names a folder of another user */
};

/* Parses the list at A, in the command's memory. False, and the client is
 * told, if it is not valid. */
bool sources_parse(struct session *s, const struct arg *a, struct sources *out);

/* The same of the one specifier at *A, with its names; moves *A behind it. */
bool sources_parse_one(struct session *s, const struct arg **a,
		       struct sources *out);

/* Moves *A behind the specifier and its names, without a look at them. */
void sources_skip(const struct arg **a);

/* Is the folder F among them? */
bool sources_have(const struct session *s, const struct sources *all,
		  const struct store_folder *f);

#endif
