/*
 * Watching folders from outside, for the program that tells sessions of
 * changes. A session gives it the token of a folder (mailbox_token,
 * store_token), which proves that the session may read the folder. How a folder
 * is watched is a matter of its store (messages/lookout.h).
 */
#ifndef MAILBOX_LOOKOUT_H
#define MAILBOX_LOOKOUT_H

#include <stdbool.h>

#include "messages/lookout.h"

/* Begins; never NULL, and for the life of the process. SEEN is called by
 * lookout_look for what other programs, and our own, do in the folders that were
 * added. */
struct lookout *lookout_begin(lookout_seen *seen, void *context);

/* Is readable when lookout_look is to be called; -1: nothing is ever seen. */
int lookout_fd(const struct lookout *l);
void lookout_look(struct lookout *l);

/* The token whose descriptor came as FD, which stays the caller's. False: this
 * is no folder's. */
bool lookout_identify(struct lookout *l, int fd, struct folder_token *t);

/* Watches the folder of T, also after T's end; with NAMES, for INBOX, what
 * becomes of the user's folders, too. May be repeated, with more. False: some of
 * what happens there is not seen. */
bool lookout_add(struct lookout *l, const struct folder_token *t, bool names);
void lookout_remove(struct lookout *l, struct folder_id id);

#endif
