/*
 * The client at the other end of a connection, as a number by which
 * connections are counted.
 */
#ifndef SERVER_CALLER_H
#define SERVER_CALLER_H

#include <stddef.h>
#include <stdint.h>

#define CALLER_TEXT_SIZE 46 /* an IPv6 address, or "uid 4294967294" */

/* The IP address of the client behind FD (for IPv6 its /64); on a local socket
 * its uid. 0 for clients that are not counted: root, and anything else. TEXT
 * gets the same in readable form, if it is not 0. */
uint64_t caller_of(int fd, char text[CALLER_TEXT_SIZE]);

/* The same for the IP address SS. */
struct sockaddr_storage;
uint64_t caller_at(const struct sockaddr_storage *ss,
		   char text[CALLER_TEXT_SIZE]);

/* A number for the user NAME, one of 2^64. */
uint64_t caller_named(const char *name);

/* Sends the N bytes at TEXT (0: a string; NULL: nothing) without waiting, and
 * closes FD after reading what the client has sent: unread input would make
 * the kernel reset the connection before the client has seen why. */
void caller_turn_away(int fd, const char *text, size_t n);

#endif
