/*
 * Watching a folder from outside. A session gives its handle
 * (mailbox_handle) to the program that watches: the handle proves that the
 * session may read the folder, and identifies it.
 */
#ifndef MAILBOX_WATCH_H
#define MAILBOX_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/folder-id.h"

/* The folder that HANDLE, a descriptor, stands for. False: there is none. */
bool watch_id(int handle, struct folder_id *id);

/* Place I (from 0) that inotify has to watch to see what other programs do in
 * the folder of HANDLE, as a path for this process. False beyond the last:
 * there are WATCH_PLACES. */
#define WATCH_PLACES 2
bool watch_place(int handle, unsigned i, char *path, size_t size);

/* The same for what other programs do to the folders of the user whose INBOX is
 * HANDLE; and is an entry there called NAME a folder, or the subscriptions? */
bool watch_names_place(int handle, char *path, size_t size);
bool watch_is_of_names(const char *name);

#endif
