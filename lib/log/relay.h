/*
 * The log of processes that strangers or users speak to. Who has a descriptor of
 * the log's file can cut it off and write into it what he likes, for as long as
 * he has it. So such a process is made by relay_fork: it has a socket instead,
 * and its parent, to which nobody speaks, writes its lines to where its own go.
 *
 * Whatever a process sends becomes lines with the name of the program and the
 * pid that the kernel says, escaped and bounded like all. Each may send so many
 * bytes a second; one that sends more waits, and the others do not. One that
 * waits for long, since the parent is slow, goes on and counts what is lost.
 *
 * The socket is also its standard error, so what the C library says before it
 * ends a process is in the log, too. With syslog, which anybody may speak to,
 * nothing is different from fork(2).
 */
#ifndef LOG_RELAY_H
#define LOG_RELAY_H

#include <stdbool.h>
#include <sys/types.h>

/* fork(2), with a socket for the lines of the child. In a process that was made
 * by it, the parent of that writes them, if it has called relay_let_fork. */
pid_t relay_fork(void);

/* Processes made by relay_fork, as long as they have our uid, may use it. */
void relay_let_fork(void);

/* For the parent's loop: what it polls for input, or -1; and the time that it
 * polls, MS (-1: for ever) or less. */
int relay_fd(void);
int relay_turn(int ms);

/* Writes lines that have come in. Never waits. */
void relay_read(void);

/* The same before the parent ends: all of them, as far as processes that are
 * gone have left them. */
void relay_drain(void);

#endif
