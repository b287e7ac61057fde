/* Waiting for a descriptor, up to a deadline. */
#ifndef IO_WAIT_H
#define IO_WAIT_H

#include <stdint.h>

/* Waits until FD has one of EVENTS, as of poll(2), or the clock of
 * base/clock.h shows UNTIL_MS: looks once if that is past. ERR_OK (also if
 * the other side has closed), ERR_TIMEOUT, or ERR_IO with errno. */
int wait_until(int fd, short events, int64_t until_ms);

/* The same for input; ERR_STOPPING when STOP is readable and FD is not. */
int wait_input_beside(int fd, int stop, int64_t until_ms);

#endif
