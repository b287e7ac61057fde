/*
 * What a mark of struct totals says: when a place was changed last, as we left
 * it; and whether files of messages that were expunged may still be there.
 *
 * A mark that says no is written only after the removals were made durable.
 * So what has the name of a message that was expunged before such a mark was
 * put there by somebody, whatever its times are. With both marks a record
 * speaks for both places, as a file may have come from one to the other by a
 * rename that a power cut undid.
 */
#ifndef INDEX_MARK_H
#define INDEX_MARK_H

#include <stdbool.h>
#include <stdint.h>

#include "index/disk.h"

/* The time that MARK tells of; what it is if that is not known is no time. */
int64_t mark_time(int64_t mark);
bool mark_has_time(int64_t mark);

/* MARK with TIME in it, or without one. */
int64_t mark_with(int64_t mark, int64_t time);
int64_t mark_without(int64_t mark);

/* Begins those of a folder in which nothing was ever expunged. */
void marks_first(struct totals *t);

/* May a removal have been undone by a power cut, or not been made? Former
 * versions forgot it where they knew no time: there it may. */
bool marks_are_pending(const struct totals *t);

/* A message is expunged, and its file not yet removed: whoever looks at T goes
 * there. Without this a file that a power cut left would be found when
 * something else changes there, years later. */
void marks_expunge(struct totals *t);

/* All that was expunged is removed, and that is durable. */
void marks_removed(struct totals *t);

#endif
