/*
 * Making room when all children are busy. While a child waits for a client
 * that has not logged in, its connection may be dropped for another: the child
 * says when that is so. When all are busy and connections wait, the parent
 * chooses among those children, first the ones whose clients have most of
 * them, and for one client the one that has been there longest. Each is asked
 * with a signal, and ends its session with the reply of its protocol.
 *
 * So clients that hold all places and say nothing keep nobody out. No
 * connection is dropped in its first second, or while its password is being
 * checked, or after that. Those that wait are taken in the order in which they
 * came: behind 500 silent ones a login waits 5 seconds for one of 100 places.
 * A shorter time would shut out who is far away and has TLS to begin.
 */
#ifndef SERVER_SHED_H
#define SERVER_SHED_H

#include <stdbool.h>
#include <stdint.h>

#include "server/board.h"

/* In a child whose place is ME, before the functions below. STOP is the
 * descriptor of prefork_stop_fd. */
void shed_begin(struct board_place *me, int stop);

/* Becomes readable when the suite stops, or the connection is to be dropped;
 * -1 in a process that never sheds. */
int shed_fd(void);

/* From now on the connection, whose client came at SINCE_MS, may be dropped. */
void shed_rest(int64_t since_ms);

/* From now on it may not. False: it is to be dropped already. */
bool shed_work(void);

/* Is it to be dropped? */
bool shed_is_due(void);

/* The connection is over. */
void shed_end(void);

/* In the parent of MAX children, every SHED_TURN_MS while all are busy and
 * connections wait: has a few dropped, and AGAIN more than before. */
#define SHED_TURN_MS 50
void shed_some(int max, bool again);

#endif
