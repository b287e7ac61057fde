/*
 * A Maildir as a store of messages (messages/messages.h): files in `new` and
 * `cur`, flags in their names, `tmp` for files without a name yet if the file
 * system has no unnamed files.
 */
#ifndef MAILDIR_MAILDIR_H
#define MAILDIR_MAILDIR_H

#include <stdbool.h>

#include "messages/messages.h"

#define MAILDIR_PLACES       \
	{                    \
		"new", "cur" \
	}

/* A directory without `cur` is not one. */
messages_opener maildir_open;

/* Makes new, cur and tmp in the directory DIR where they are missing. */
int maildir_make(int dir) MUST_CHECK;

#endif
