/* Locks that end with the process, whatever happens to it. */
#ifndef INDEX_LOCK_H
#define INDEX_LOCK_H

#include <stdint.h>

/* Opens (making it if missing) the lock file NAME in DIR; -1 with errno. */
int lock_open(int dir, const char *name);

/* Takes the write lock of FD within MS milliseconds: ERR_OK, ERR_BUSY or
 * ERR_IO. Who waits looks every LOCK_LOOK_MS, in no order: whoever releases the
 * lock and takes it again sooner than that keeps all others out. */
#define LOCK_LOOK_MS 15
int lock_take(int fd, int64_t ms);
void lock_release(int fd);

#endif
