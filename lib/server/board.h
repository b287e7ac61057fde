/*
 * The scoreboard: memory that a prefork parent shares with its children. Each
 * child has a place there and records whether it is idle, whom it serves, and
 * that it is alive.
 */
#ifndef SERVER_BOARD_H
#define SERVER_BOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "log/rate.h"
#include "server/watch.h"

enum board_state { BOARD_FREE, BOARD_IDLE, BOARD_BUSY, BOARD_ASIDE };

struct board_place {
	_Atomic int state;
	_Atomic uint64_t client; /* whom it serves; 0: no IP address */
	_Atomic uint64_t pair; /* a user and an address, or 0 */
	_Atomic int64_t rest_ms; /* server/shed.h: since when its client is a
				  * stranger; 0: it is not to be dropped;
				  * negative: when it was */
	struct watched watched;
};

/* Makes it with N places and one for a child aside. Ends the program if there
 * is no memory. */
void board_make(int n);

/* Place I; the last one, I = N, is the one aside. */
struct board_place *board_place(int i);

/* How many of the N are in that state. */
int board_count(enum board_state state);

/* Records that ME serves CLIENT, unless MOST children do so already: then
 * false. MOST 0, or client 0: no limit, and the record is only for
 * server/shed.h. */
bool board_claim(struct board_place *me, uint64_t client, int most);

/* The same for a user at an address, beside that. */
bool board_claim_pair(struct board_place *me, uint64_t pair, int most);

/* ME serves nobody. */
void board_release(struct board_place *me);

/* The parent's, which no child can write: the process at the place P; 0:
 * none. */
pid_t board_pid(const struct board_place *p);
void board_set_pid(const struct board_place *p, pid_t pid);

/* The place of the child PID, or NULL. */
struct board_place *board_find(pid_t pid);

/* This process has nothing to do with the board any more. */
void board_leave(void);

/* Logs that CLIENT, which has MOST connections, was refused: at most a line
 * per second from all children together. */
void board_say_refused(const char *client, int most);

/* For lines of the program itself, from all children together. */
struct log_rate *board_log_rate(void);

#endif
