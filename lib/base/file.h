/*
 * Files: whole reads and writes that survive short counts and EINTR, and the
 * one way in which a file of ours is replaced.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"

/* All N bytes, or an error code; on error a part may be written. */
int file_write(int fd, const void *data, size_t n);
int file_pwrite(int fd, const void *data, size_t n, off_t at);

/* Exactly N bytes from AT; ERR_EOF if the file is shorter. */
int file_pread(int fd, void *data, size_t n, off_t at);

/* Appends the content of PATH (or of FD from its position) to B; a file
 * over the buffer's limit is ERR_TOO_LONG. */
int file_read(const char *path, struct buf *b);
int file_read_fd(int fd, struct buf *b);

/* Makes PATH hold DATA, whole or not at all, also after a power cut: writes
 * a neighbour, syncs, renames, syncs the directory. */
int file_replace(const char *path, mode_t mode, const void *data, size_t n);

/* Syncs a directory by its path. */
int file_sync_dir(const char *path);

/* Makes DIR and missing parents with MODE; the names of those that were made
 * are durable. */
int file_make_dirs(const char *dir, mode_t mode);

/* Sets FD_CLOEXEC or O_NONBLOCK. */
void file_set_cloexec(int fd, bool on);
void file_set_nonblock(int fd, bool on);

#endif
