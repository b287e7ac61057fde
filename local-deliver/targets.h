/*
 * A file of targets, :include: or ~/.forward, read by a process that has
 * become the user, and reported to the child: for each target a kind letter,
 * the text and a NUL. The child never parses a user's file.
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

/* Reads the file FD, which came from PATH, up to MAX bytes, and reports its
 * targets in OUT, or the fault. */
void targets_tell(int fd, const char *path, size_t max, struct buf *out);

/* Reports a fault. */
void targets_tell_fault(struct buf *out, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Parses the report. All memory from A. NULL, or why there are no targets: the
 * reported fault, or our own text if it does not parse. */
const char *targets_hear(struct arena *a, const char *told, size_t n,
			 struct alias_target **target, size_t *ntargets);

#endif
