/* The folders that the suite needs at run time. */
#ifndef MASTER_FOLDERS_H
#define MASTER_FOLDERS_H

#include "base/buf.h"
#include "config/config.h"

/* Makes what is missing, and sets owner and mode of each. A line in FAULTS
 * for each that cannot be made. */
void folders_prepare(const struct config *c, struct buf *faults);

#endif
