/*
 * The Makefile includes this in every source of the suite: C library calls
 * that change what is on disk, declared again so that their result cannot be
 * dropped unseen. If nothing can be done about a failure, err_ignore says so,
 * with a comment; a cast to void does not compile. Only file_next
 * (base/file.h) reads directories: it tells an error from the end.
 */
#ifndef BASE_MUST_H
#define BASE_MUST_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/err.h"

MUST_CHECK ssize_t write(int, const void *, size_t);
MUST_CHECK ssize_t writev(int, const struct iovec *, int);
MUST_CHECK ssize_t pwrite(int, const void *, size_t, off_t);
MUST_CHECK ssize_t pwritev(int, const struct iovec *, int, off_t);
MUST_CHECK int fflush(FILE *);
MUST_CHECK int fsync(int);
MUST_CHECK int fdatasync(int);
MUST_CHECK int sync_file_range(int, off64_t, off64_t, unsigned);
MUST_CHECK int ftruncate(int, off_t);
MUST_CHECK int fallocate(int, int, off_t, off_t);
MUST_CHECK int unlink(const char *);
MUST_CHECK int unlinkat(int, const char *, int);
MUST_CHECK int rmdir(const char *);
MUST_CHECK int rename(const char *, const char *);
MUST_CHECK int renameat(int, const char *, int, const char *);
MUST_CHECK int renameat2(int, const char *, int, const char *, unsigned);
MUST_CHECK int link(const char *, const char *);
MUST_CHECK int linkat(int, const char *, int, const char *, int);
MUST_CHECK int mkdir(const char *, mode_t);
MUST_CHECK int mkdirat(int, const char *, mode_t);
MUST_CHECK int chmod(const char *, mode_t);
MUST_CHECK int fchmod(int, mode_t);
MUST_CHECK int chown(const char *, uid_t, gid_t);
MUST_CHECK int fchown(int, uid_t, gid_t);
MUST_CHECK int lchown(const char *, uid_t, gid_t);
MUST_CHECK int fchownat(int, const char *, uid_t, gid_t, int);
MUST_CHECK int symlink(const char *, const char *);
MUST_CHECK int truncate(const char *, off_t);
MUST_CHECK int syncfs(int);
MUST_CHECK int futimens(int, const struct timespec[2]);
MUST_CHECK ssize_t sendfile(int, int, off_t *, size_t);
MUST_CHECK ssize_t copy_file_range(int, off64_t *, int, off64_t *, size_t,
				   unsigned);
MUST_CHECK int flock(int, int);

#define BY_FILE_NEXT __attribute__((deprecated("see file_next")))

BY_FILE_NEXT struct dirent *readdir(DIR *);
BY_FILE_NEXT int scandir(const char *, struct dirent ***,
			 int (*)(const struct dirent *),
			 int (*)(const struct dirent **,
				 const struct dirent **));

#endif
