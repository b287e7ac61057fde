/*
 * Room for one more where all children are busy. While a child's client is a
 * stranger who is waited for, its connection may be dropped for another: the
 * child says when that is so. The parent, when all are busy and connections
 * wait, chooses of those children the ones whose clients have most of them,
 * and of one client's the one that has been a stranger for the longest; each
 * is asked by a signal, and ends its session in its own words.
 *
 * So whoever holds all places and says nothing keeps nobody out. Nobody is
 * dropped in his first second, or while his password is being checked, or
 * after that.
 */
#ifndef SERVER_SHED_H
#define SERVER_SHED_H

#include <stdbool.h>
#include <stdint.h>

#include "server/board.h"

/* In a child whose place is ME, before the first of the others. STOP is
 * prefork's stop. */
void shed_begin(struct board_place *me, int stop);

/* Becomes readable when the suite stops, or the connection is to be dropped;
 * -1 in a process that never sheds. */
int shed_fd(void);

/* From now on the connection, whose client came at SINCE_MS, may be dropped. */
void shed_rest(int64_t since_ms);

/* From now on not. False: it is to be dropped already. */
bool shed_work(void);

/* Is it to be dropped? */
bool shed_is_due(void);

/* The connection is over. */
void shed_end(void);

/* In the parent of MAX children, every SHED_TURN_MS while all are busy and
 * connections wait: has a few dropped, AGAIN more than the time before. */
#define SHED_TURN_MS 50
void shed_some(int max, bool again);

#endif
