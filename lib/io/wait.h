/* Waiting for a descriptor, up to a deadline. */
#ifndef IO_WAIT_H
#define IO_WAIT_H

#include <stdint.h>

/* Waits until FD has one of EVENTS, as of poll(2), or the clock of
 * base/clock.h shows UNTIL_MS: looks once if that is past. ERR_OK (also if
 * the other side has closed), ERR_TIMEOUT, or ERR_IO with errno. */
int wait_until(int fd, short events, int64_t until_ms);

/* The same; ERR_STOPPING when STOP is readable and FD has none of EVENTS. STOP
 * below 0: there is none. */
int wait_beside(int fd, short events, int stop, int64_t until_ms);

/* The same for input. */
int wait_input_beside(int fd, int stop, int64_t until_ms);

/* A descriptor, for STOP above, that becomes readable when the other end of the
 * socket FD is closed, whatever has come from there and is not read; it is the
 * caller's. -1 with errno. */
int wait_hang_up(int fd);

#endif
