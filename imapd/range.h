/*
 * PARTIAL (RFC 9394, RFC 5267): a part of a list, counted from its start or
 * from its end.
 */
#ifndef IMAPD_RANGE_H
#define IMAPD_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imapd/args.h"

struct range {
	const char *text; /* as the client wrote it; NULL: none was asked for */
	bool from_end;	  /* "-1" is the last item */
	uint32_t first;	  /* not above LAST */
	uint32_t last;
};

/* Reads "1:500" or "-1:-500" at A. False: it is neither. */
bool range_parse(const struct arg *a, struct range *r);

/* Which of N items in their order are in the range: *COUNT, from *START. */
void range_apply(const struct range *r, size_t n, size_t *start, size_t *count);

#endif
