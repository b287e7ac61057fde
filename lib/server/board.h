/*
 * The scoreboard: memory that a prefork parent shares with its children. Each
 * child has a place there and says whether it is idle, whom it serves, and
 * that it lives.
 */
#ifndef SERVER_BOARD_H
#define SERVER_BOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "server/watch.h"

enum board_state { BOARD_FREE, BOARD_IDLE, BOARD_BUSY, BOARD_ASIDE };

struct board_place {
	_Atomic int state;
	_Atomic uint64_t client; /* whom it serves; 0: no IP address */
	_Atomic int64_t rest_ms; /* server/shed.h: since when its client is a
				  * stranger; 0: it is not to be dropped;
				  * negative: when it was */
	struct watched watched;
	pid_t pid; /* the parent's business alone; 0: none */
};

/* With N places and one for a child aside. Ends the program if there is no
 * memory. */
void board_make(int n);

/* Place I; the last one, I = N, is the one aside. */
struct board_place *board_place(int i);

/* How many of the N are in that state. */
int board_count(enum board_state state);

/* Notes whom ME serves, unless that one has MOST children already: then false.
 * MOST 0, or client 0: no limit, and the note is for server/shed.h. */
bool board_claim(struct board_place *me, uint64_t client, int most);

/* Gives the one with PID, or NULL. */
struct board_place *board_find(pid_t pid);

/* Logs that CLIENT, who has MOST connections, was refused: a line a second,
 * whichever child says so. */
void board_say_refused(const char *client, int most);

#endif
