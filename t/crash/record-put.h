/*
 * Between the files of record.so: record.c stands in the place of the calls,
 * record-put.c writes the entries. While nothing is recorded, or FD is no
 * file or folder on a disk that is, these do nothing. errno stays.
 */
#ifndef T_CRASH_RECORD_PUT_H
#define T_CRASH_RECORD_PUT_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "t/crash/record.h"

/* F_WRLCK before an operation that is recorded, F_UNLCK after its entry. A
 * lock of the process (not of the open file, which all have from master), and
 * gone with it if it is killed. */
void entry_lock(short how);

/* Is FD recorded? Then E is set up with its number. */
bool entry_is_file(int fd, struct record_entry *e);

/* A change of one name: PATH at AT is INO now, or gone. */
void entry_name(int type, int at, const char *path, uint64_t ino);

/* A truncation, hole or sync of FD. */
void entry_length(int type, int fd, off_t offset, off_t length);

/* FD was opened by FLAGS. */
void entry_opened(int fd, int at, const char *path, int flags);

void entry_rename(int at, const char *from, int at2, const char *to);

/* TO at AT is a further name of what it is. */
void entry_link(int at, const char *to);

/* What WRITTEN bytes of IOV[N] at OFFSET (-1: where FD stands) changed. */
void entry_written(int fd, const struct iovec *iov, int n, off_t offset,
		   ssize_t written);

/* The record's descriptor, or -1. */
int entry_fd(void);

#endif
