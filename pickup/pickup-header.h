/*
 * The header of a program's message: Unix programs write "From: root (Cron
 * Daemon)", which other hosts do not accept as an address. Bare names in
 * address fields get "@myorigin"; nothing else is changed.
 */
#ifndef PICKUP_PICKUP_HEADER_H
#define PICKUP_PICKUP_HEADER_H

#include <stddef.h>

#include "base/buf.h"
#include "intake/policy.h"

/* Sets myorigin, which must stay. */
void pickup_header_begin(const char *origin);

/* A row of HEADER that does it. */
enum intake_action pickup_judge_header(const struct intake_question *q,
				       struct answer *a);

/* Appends the field value VALUE, N to OUT with its bare names completed. For
 * the above, and for tests. */
void pickup_complete(struct buf *out, const char *value, size_t n,
		     const char *origin);

#endif
