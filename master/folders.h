/* The folders that the suite needs at run time. */
#ifndef MASTER_FOLDERS_H
#define MASTER_FOLDERS_H

#include "base/buf.h"
#include "base/str.h"
#include "config/config.h"

/* Makes what is missing, and sets owner and mode of each. A line in FAULTS
 * for each that cannot be made. */
void folders_prepare(const struct config *c, struct buf *faults);

/* A line in FAULTS for each folder that is another user's: a start gives it
 * to its own, a reload must not. Changes nothing. */
void folders_check(const struct config *c, struct buf *faults);

/* Is PATH one of them? */
bool folders_has(const struct config *c, const char *path);

/* Adds to L the parameters that say where the folders are and whose. */
void folders_params(struct strlist *l);

#endif
