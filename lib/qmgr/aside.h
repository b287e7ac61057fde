/*
 * How many files in the drop folder could not be taken: pickup counts them,
 * since nobody else may list the folder, and qmgr is asked for it.
 */
#ifndef QMGR_ASIDE_H
#define QMGR_ASIDE_H

#include <stdint.h>

/* Tells qmgr that there are N now. Without qmgr nobody hears it: say it again
 * from time to time. */
void queue_report_aside(int64_t n);

#endif
