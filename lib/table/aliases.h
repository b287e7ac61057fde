/*
 * The text of aliases(5): lines "name: targets", and the syntax of a right
 * side, which forward(5) and :include: files share.
 */
#ifndef TABLE_ALIASES_H
#define TABLE_ALIASES_H

#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "table/text.h"

/* Reads the N bytes at TEXT, which came from R's file, and calls ENTRY for each
 * alias: NAME unquoted, VALUE its right side as written, or NULL if it is
 * faulty. */
void aliases_parse(const struct text_reading *r, const char *text, size_t n,
		   void (*entry)(void *context, const char *name,
				 const char *value, unsigned line),
		   void *context);

enum alias_kind {
	ALIAS_ADDRESS, /* an address, with or without a domain */
	ALIAS_SELF,    /* \user: the mailbox itself, not expanded again */
	ALIAS_FILE,    /* /path: appended to */
	ALIAS_COMMAND, /* |command: gets the message on its input */
	ALIAS_INCLUDE  /* :include:/path: a file of further targets */
};

struct alias_target {
	enum alias_kind kind;
	const char *text; /* without \, | and :include: */
};

#define ALIASES_TARGETS_MAX 100000 /* in one right side or file */

/* Splits TEXT: targets are separated by commas and line ends, and quoted if
 * they contain a comma or white space; RFC 5322 comments and names, and lines
 * that begin with `#`, are left out. All memory from A. ERR_OK, or ERR_SYNTAX
 * with the reason in *WHY. The reason goes to whoever sent the mail, so it says
 * nothing of what is in TEXT. */
int aliases_targets(struct arena *a, const char *text,
		    struct alias_target **target, size_t *n, const char **why);

/* The same; *LINE is where the fault is, counted from 1. */
int aliases_targets_of_file(struct arena *a, const char *text,
			    struct alias_target **target, size_t *n,
			    const char **why, unsigned *line);

#endif
