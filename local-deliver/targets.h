/*
 * A file of targets, :include: or ~/.forward, read by a process that has
 * become its reader, and told to the child: one kind letter, the text and a
 * NUL a target. The child never parses a user's file.
 */
#ifndef LOCAL_DELIVER_TARGETS_H
#define LOCAL_DELIVER_TARGETS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/buf.h"
#include "table/aliases.h"

#define TARGETS_FILE_MAX (16 << 20) /* bytes of an :include: file */
#define TARGETS_TOLD_MAX (24 << 20)

/* The mark before the text of why a file cannot be used. */
#define TARGETS_FAULT '!'

/* Reads the file FD, which came from PATH, up to MAX bytes, and tells its
 * targets in OUT, or the fault. */
void targets_tell(int fd, const char *path, size_t max, struct buf *out);

/* Tells a fault. */
void targets_tell_fault(struct buf *out, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Takes what was told. All memory from A. NULL, or why there are none: the
 * fault told, or a text of our own if it does not parse. */
const char *targets_hear(struct arena *a, const char *told, size_t n,
			 struct alias_target **target, size_t *ntargets);

#endif
