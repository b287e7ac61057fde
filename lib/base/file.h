/*
 * Files: complete reads and writes in spite of short counts and EINTR, and the
 * one way in which we replace a file.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Writes all N bytes, or gives an error; then a part may be written. */
MUST_CHECK int file_write(int fd, const void *data, size_t n);
MUST_CHECK int file_pwrite(int fd, const void *data, size_t n, off_t at);

/* Exactly N bytes from AT; ERR_EOF if the file is shorter. */
MUST_CHECK int file_pread(int fd, void *data, size_t n, off_t at);

/* fsync(2) and fdatasync(2), for which base/heartbeat.h allows much time. */
MUST_CHECK int file_sync(int fd);
MUST_CHECK int file_sync_data(int fd);

/* syncfs(2): all of the file system that FD is on. */
MUST_CHECK int file_sync_all(int fd);

/* Opens PATH for reading, without waiting for anybody: a FIFO, directory or
 * socket of that name is ERR_UNSUPPORTED. A device such as /dev/null is a
 * file. */
MUST_CHECK int file_open(const char *path, int *fd);

/* Appends the content of PATH (or of FD from its position) to B; a file
 * over the buffer's limit is ERR_TOO_LONG. */
MUST_CHECK int file_read(const char *path, struct buf *b);
MUST_CHECK int file_read_fd(int fd, struct buf *b);

/* Makes PATH hold DATA, completely or not at all, even after a power cut:
 * writes a temporary file beside it, syncs, renames, syncs the directory. */
MUST_CHECK int file_replace(const char *path, mode_t mode, const void *data, size_t n);

/* The first call of a program that prints: if the reader stops reading, as in
 * `posthorn queue list | head`, the program ends silently, even if SIGPIPE was
 * ignored when cron or systemd started it. */
void file_begin_output(void);

/* Writes what standard output still buffers: the last call of a program that
 * prints, since printing to a full disk or a closed pipe is a failure. */
MUST_CHECK int file_end_output(void);

/* Syncs a directory by its path. */
MUST_CHECK int file_sync_dir(const char *path);

/* The next entry of D, valid until the next call; *E is NULL at the end. An
 * error is not the end: entries may be missing. NAME is for the cause. */
MUST_CHECK int file_next(DIR *d, const char *name, struct dirent **e);

/* Is PATH a directory that belongs to UID? ERR_OK: yes; ERR_NOT_FOUND: no, or
 * there is none; others: this cannot be seen. */
MUST_CHECK int file_owned_dir(const char *path, uid_t uid);

/* Makes DIR and missing parents with MODE, and the new names durable. */
MUST_CHECK int file_make_dirs(const char *dir, mode_t mode);

/* Seals FD, a file in memory that may be sealed (memfd_create(2)): nobody can
 * change it any more. It may have been sealed before. */
MUST_CHECK int file_seal(int fd);
bool file_is_sealed(int fd);

/* Sets FD_CLOEXEC or O_NONBLOCK. */
void file_set_cloexec(int fd, bool on);
void file_set_nonblock(int fd, bool on);

#endif
