/*
 * The high-water mark of a folder's numbers, in its lock file: where they go
 * on if the journal is lost or an older one is restored. It is written ahead
 * in steps, so that most changes need not touch it.
 */
#ifndef INDEX_HIGH_WATER_H
#define INDEX_HIGH_WATER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "index/disk.h"

/* Do the numbers of NEXT pass a step that those of LAST had not passed? Then
 * the mark is raised before they are given out. */
bool high_water_is_due(const struct totals *last, const struct totals *next);

/* Writes and syncs it, some steps above T. LOCK is the lock file. */
MUST_CHECK int high_water_raise(int lock, uint32_t uidvalidity,
				const struct totals *t);

/* Reads where numbering was before a loss. ERR_NOT_FOUND: it is not known. */
MUST_CHECK int high_water_read(int lock, struct high_water *h);

#endif
