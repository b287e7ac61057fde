/*
 * What posthorn check examines. Each function adds its findings: a fault is
 * what does not work or is dangerous, a warning what an administrator should
 * know. The text names the parameter, file or port, and what to do. If it
 * begins with the name of a parameter, the line that sets it is put before it.
 */
#ifndef ADMIN_CHECK_H
#define ADMIN_CHECK_H

#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"
#include "config/config.h"

struct findings {
	struct strlist text;
	struct strlist level; /* "fault" or "warning", one for each */
	size_t faults;
	const struct config *config; /* whose lines are named; or NULL */
};

void check_fault(struct findings *f, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void check_warning(struct findings *f, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Each line of TEXT is a fault of PARAM or, if that is NULL, of what the line
 * names. */
void check_faults(struct findings *f, const char *param,
		  const struct buf *text);

/* Checks the file at PATH, which the parameter PARAM names, and which others
 * may not write to, nor, if SECRET, read. */
void check_file(struct findings *f, const char *param, const char *path,
		bool secret);

/* Is there anything but comments in the text file at PATH, which PARAM names?
 * An empty one may have been left by a script on a full disk. */
void check_entries(struct findings *f, const char *param, const char *path);

/* May accountd, which is not root, read the file at PATH, which PARAM names?
 * Another check reports a missing file. */
void check_readable(struct findings *f, const struct config *c,
		    const char *param, const char *path);

void check_access(struct findings *f, const struct config *c);
void check_queue(struct findings *f, const struct config *c);
void check_network(struct findings *f, const struct config *c);
void check_users(struct findings *f, const struct config *c);
void check_files(struct findings *f, const struct config *c);
void check_owners(struct findings *f, const struct config *c);
void check_lines(struct findings *f, const struct config *c);
void check_tables(struct findings *f, const struct config *c);
void check_proxies(struct findings *f, const struct config *c);
void check_tls(struct findings *f, const struct config *c);

#endif
