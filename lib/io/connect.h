/* A TCP connection within a time limit. */
#ifndef IO_CONNECT_H
#define IO_CONNECT_H

#include <stdbool.h>
#include <stdint.h>

/* Connects to IP, PORT within MS milliseconds, unless STOP (-1: none) becomes
 * readable. The descriptor, which blocks, or -1 with errno. */
int connect_to(const char *ip, int port, int64_t ms, int stop);

/* The same for event loops, which never wait. Begins to connect: a descriptor
 * that does not block, and becomes writable; or -1 with errno. Then
 * connect_end: false with errno if it failed. */
int connect_begin(const char *ip, int port);
bool connect_end(int fd);

#endif
