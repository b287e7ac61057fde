/* A TCP connection within a time limit. */
#ifndef IO_CONNECT_H
#define IO_CONNECT_H

#include <stdint.h>

/* Connects to IP, PORT within MS milliseconds, unless STOP (-1: none) becomes
 * readable. The descriptor, which blocks, or -1 with errno. */
int connect_to(const char *ip, int port, int64_t ms, int stop);

#endif
