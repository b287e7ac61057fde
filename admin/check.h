/*
 * What posthorn check looks at. Each function adds what it finds: a fault is
 * what does not work or is dangerous, a warning what an administrator should
 * know. The text names the parameter, file or port, and what to do. Where it
 * begins with the name of a parameter, the line that sets it goes before.
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

/* Each line of TEXT is a fault of PARAM, or of what it names itself if PARAM
 * is NULL. */
void check_faults(struct findings *f, const char *param,
		  const struct buf *text);

/* How is it with the file at PATH, which parameter PARAM names, and which
 * others may not write to, nor, if SECRET, read? */
void check_file(struct findings *f, const char *param, const char *path,
		bool secret);

/* Is there anything in the text file at PATH, which PARAM names, but comments?
 * An empty one may be what a script on a full disk left. */
void check_entries(struct findings *f, const char *param, const char *path);

/* May accountd, which is not root, read the file at PATH, which PARAM names?
 * One that is not there is somebody else's fault. */
void check_readable(struct findings *f, const struct config *c,
		    const char *param, const char *path);

void check_access(struct findings *f, const struct config *c);
void check_network(struct findings *f, const struct config *c);
void check_users(struct findings *f, const struct config *c);
void check_files(struct findings *f, const struct config *c);
void check_tables(struct findings *f, const struct config *c);
void check_tls(struct findings *f, const struct config *c);

#endif
