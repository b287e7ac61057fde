/*
 * The header of a program's message on its way to the intake: programs of
 * Unix write "From: root (Cron Daemon)", which other hosts do not take for
 * an address. Bare names in address fields get "@myorigin"; nothing else is
 * changed.
 */
#ifndef SUBMIT_PICKUP_HEADER_H
#define SUBMIT_PICKUP_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "smtp/intake.h"

struct pickup_header {
	struct intake *intake;
	const char *origin;
	struct buf buf; /* the header until it is complete */
	bool done;
};

void pickup_header_begin(struct pickup_header *h, struct intake *intake,
			 const char *origin);

/* A smtp_data_sink; the context is the pickup_header. */
int pickup_header_write(void *header, const void *data, size_t n);

/* The message is over. */
void pickup_header_end(struct pickup_header *h);

/* Appends the field value VALUE, N to OUT with its bare names completed. For
 * the above, and for tests. */
void pickup_complete(struct buf *out, const char *value, size_t n,
		     const char *origin);

#endif
