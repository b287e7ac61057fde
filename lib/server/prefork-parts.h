/*
 * What the parent of a prefork program (prefork.c) and its children
 * (prefork-child.c) have in common. Nobody else includes this.
 */
#ifndef SERVER_PREFORK_PARTS_H
#define SERVER_PREFORK_PARTS_H

#include <signal.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "server/board.h"
#include "server/prefork.h"

extern struct prefork_now {
	const struct prefork *set;
	int wake[2];   /* a child writes when too few are idle */
	int retire[2]; /* its end: no further connections */
	int stop[2];   /* its end: nor the present one */
	int signals;   /* of the parent */
	sigset_t former;
	struct rlimit files; /* of a child */
	pid_t parent;
	struct board_place *me; /* in a child */
} prefork_now;

/* Would a read of FD not wait? */
bool prefork_readable(int fd);

/* In a new process: serves what comes in until it is to end. */
_Noreturn void prefork_child(struct board_place *me);

#endif
