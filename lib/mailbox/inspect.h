/*
 * What an administrator can see of a folder's own files: are they whole, and do
 * journal, snapshot and cache agree with each other and with the messages?
 * Nothing here changes the journal or a message.
 */
#ifndef MAILBOX_INSPECT_H
#define MAILBOX_INSPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mailbox/store.h"

/* One thing that differs. */
struct inspect_finding {
	const char *file;   /* in the folder: a file's name, or its path */
	int64_t at;	    /* where in it; -1: as a whole */
	const char *what;
	const char *repair; /* what the next session does about it */
};

typedef void inspect_found(void *context, const struct inspect_finding *f);
typedef void inspect_line(void *context, int64_t at, const char *text);

/* Reads everything of the folder NAME, messages too, and calls FOUND for each
 * difference; changes nothing. Others may write meanwhile, but wait while the
 * journal is read. ERR_NOT_FOUND, ERR_BUSY, ERR_IO. */
int inspect_check(struct store *s, const char *name, inspect_found *found,
		  void *context) MUST_CHECK;

/* Calls LINE for each record of the journal, and each item of it. ERR_CORRUPT:
 * after the last one comes something that is no record. */
int inspect_dump(struct store *s, const char *name, inspect_line *line,
		 void *context) MUST_CHECK;

/* Removes snapshot, cache and signatures, which are made again when they are
 * needed. */
int inspect_forget(struct store *s, const char *name) MUST_CHECK;

/* Opens the folder as a session does, which mends what it finds. */
int inspect_mend(struct store *s, const char *name) MUST_CHECK;

#endif
