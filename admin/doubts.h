/* Lines of tables and of the users file that are not understood. */
#ifndef ADMIN_DOUBTS_H
#define ADMIN_DOUBTS_H

#include "base/buf.h"
#include "base/str.h"
#include "config/config.h"
#include "table/user-line.h"

/* Adds to DOUBTS a text "file:line: why" for the first line of each file that
 * is not understood. Files that the caller may not read are left out. */
void doubts_find(const struct config *c, struct strlist *doubts);

/* Reads the users file: users_parse with the defaults of C. ERR_OK, or why it
 * cannot be read. */
int doubts_of_users(const struct config *c, struct buf *faults,
		    struct buf *doubt,
		    void (*take)(void *context, struct user *u, unsigned line),
		    void *context);

#endif
