/*
 * Lines that a stranger, or any user of the machine, can provoke as often as
 * he likes and at no cost to him: so many a second of each kind are logged,
 * and of the others how many there were.
 */
#ifndef LOG_RATE_H
#define LOG_RATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* One kind of line. Zeroed: none was logged yet. It may be in memory that
 * processes share. */
struct log_rate {
	_Atomic int64_t since_ms;
	_Atomic int said; /* since then */
	_Atomic int unsaid;
};

/* May the caller log a line of the kind R, of which there are at most MOST a
 * second? If some were left out before, their number is logged first, with
 * WHAT they told. */
bool log_rate_allows(struct log_rate *r, int most, const char *what);

#endif
