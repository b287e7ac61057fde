/*
 * Who is at the other end of a connection, as a number by which connections
 * are counted.
 */
#ifndef SERVER_CALLER_H
#define SERVER_CALLER_H

#include <stddef.h>
#include <stdint.h>

#define CALLER_TEXT_SIZE 46 /* an IPv6 address, or "uid 4294967294" */

/* The IP address of the client behind FD, of IPv6 the /64; on a socket of this
 * machine its uid. 0 for who is not counted: root, and what is neither. TEXT
 * gets the same for people, where it is not 0. */
uint64_t caller_of(int fd, char text[CALLER_TEXT_SIZE]);

/* The number of a user with that name, of some 2^64. */
uint64_t caller_named(const char *name);

/* Sends the N bytes at TEXT (0: a string; NULL: nothing) without waiting, and
 * closes FD, after it took what the client has said: input that nobody read
 * would make the kernel cut the connection before the client has seen why. */
void caller_turn_away(int fd, const char *text, size_t n);

#endif
