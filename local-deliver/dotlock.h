/*
 * Locks on an mbox file: first fcntl, then a file PATH.lock beside it, as
 * Debian's policy (11.6) demands and all mail readers do.
 */
#ifndef LOCAL_DELIVER_DOTLOCK_H
#define LOCAL_DELIVER_DOTLOCK_H

#include <stdbool.h>

#include "base/err.h"

/* Takes both locks on the open file FD; waits at most 60 seconds, and takes
 * over a lock file older than 10 minutes. *DOT tells whether the lock file
 * is ours: if the folder is not writable, fcntl alone must suffice. ERR_OK,
 * ERR_BUSY, ERR_IO. */
int dotlock_take(int fd, const char *path, bool *dot) MUST_CHECK;

/* Gives them back (the fcntl lock goes with the descriptor). */
void dotlock_drop(const char *path, bool dot);

#endif
