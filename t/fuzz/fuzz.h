/*
 * A fuzz target is one file of t/fuzz that defines the two functions below.
 * The driver (driver.c) begins with the seeds, changes them at random, keeps
 * the inputs that reached new code, and changes those further. A target finds
 * a fault by dying: by a sanitizer, by abort(), or by taking too long.
 *
 *   make fuzz                    all targets, sanitized, FUZZ_SECONDS in all
 *   make check                   their seeds and a few changes of each
 *   build/fuzz/build/t/fuzz/NAME.t FILE   what a find does
 */
#ifndef T_FUZZ_FUZZ_H
#define T_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/buf.h"

/* Does with DATA, N what a program does with such input. The bytes stand
 * alone in memory, so that a read beyond them is seen. */
void fuzz_one(const char *data, size_t n);

/* Appends seed number I (from 0) to B; false if there are fewer. */
bool fuzz_seed(unsigned i, struct buf *b);

/* fuzz_seed for seeds that are strings. */
#define FUZZ_SEEDS(...)                                             \
	bool fuzz_seed(unsigned i, struct buf *b)                   \
	{                                                           \
		static const char *const seeds[] = { __VA_ARGS__ }; \
                                                                    \
		if (i < sizeof(seeds) / sizeof(*seeds))             \
			buf_puts(b, seeds[i]);                      \
		return i < sizeof(seeds) / sizeof(*seeds);          \
	}

/* A promise of the code under test. */
#define FUZZ_CHECK(condition) ((condition) ? (void)0 : abort())

#endif
