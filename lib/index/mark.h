/*
 * What a mark in struct totals says: when a place was last changed, as we left
 * it, and whether files of expunged messages may still be there.
 *
 * A mark that says no is written only after the removals were made durable.
 * So a file with the name of a message that was expunged before such a mark
 * was put there by somebody, whatever its times are. A record's two marks
 * always say the same for both places, since a rename from one to the other
 * may have been undone by a power cut.
 */
#ifndef INDEX_MARK_H
#define INDEX_MARK_H

#include <stdbool.h>
#include <stdint.h>

#include "index/disk.h"

/* The time in MARK; meaningless if it has none. */
int64_t mark_time(int64_t mark);
bool mark_has_time(int64_t mark);

/* MARK with TIME in it, or without one. */
int64_t mark_with(int64_t mark, int64_t time);
int64_t mark_without(int64_t mark);

/* The first marks, of a folder in which nothing was ever expunged. */
void mark_first(struct totals *t);

/* May a removal have been undone by a power cut, or not been made? Former
 * versions did not record this if they knew no time: then yes. */
bool mark_is_pending(const struct totals *t);

/* A message is expunged, and its file not yet removed: makes readers of T look
 * at the places. Without this a file left by a power cut would only be found
 * when something else changes there, perhaps years later. */
void mark_expunge(struct totals *t);

/* All files of expunged messages are removed, durably. */
void mark_removed(struct totals *t);

#endif
