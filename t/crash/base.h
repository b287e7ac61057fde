/* The trees below a folder as entries of a record. */
#ifndef T_CRASH_BASE_H
#define T_CRASH_BASE_H

#include <stdbool.h>

/* Appends to FD what TOP/spool and TOP/mail hold now, as what was there
 * before, or, at the END, as what it has come to. */
void base_write(int fd, const char *top, bool end);

#endif
