/*
 * A Maildir as a store of messages (messages/messages.h): files in `new` and
 * `cur`, flags in their names, `tmp` for files without a name yet if the file
 * system has no unnamed files.
 */
#ifndef MAILDIR_MAILDIR_H
#define MAILDIR_MAILDIR_H

#include <stdbool.h>

#include "messages/messages.h"

/* A directory without `cur` is not one. */
messages_opener maildir_open;

/* The id of the folder whose directory is ST. */
struct stat;
struct folder_id maildir_id(const struct stat *st);

/* The token of the folder NAME in the directory STORE, the caller's. */
int maildir_token(int store, const char *name,
		  struct folder_token *t) MUST_CHECK;

/* Is NAME, in the directory of an INBOX, a folder, or the list of those that are
 * subscribed? */
#define MAILDIR_SUBSCRIPTIONS "subscriptions"
bool maildir_is_of_names(const char *name);

/* Makes new, cur and tmp in the directory DIR where they are missing. */
int maildir_make(int dir) MUST_CHECK;

#endif
