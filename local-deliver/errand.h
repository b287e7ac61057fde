/*
 * An errand: one rare act in a separate process that has become some user.
 * What it writes comes back as bytes.
 */
#ifndef LOCAL_DELIVER_ERRAND_H
#define LOCAL_DELIVER_ERRAND_H

#include "base/buf.h"
#include "local-deliver/local.h"

#define ERRAND_MS 120000 /* an errand may take this long */

/* Forks, becomes ID (keeping the descriptor KEEP, or -1) and calls ACT with
 * CONTEXT and a descriptor to write its answer to; the process ends with
 * ACT's result, 0 to 255. The answer goes to OUT up to its limit. Gives that
 * result, or -1 if the process could not be made, died or took too long. */
int errand_run(const struct identity *id, int keep,
	       int (*act)(void *context, int out), void *context,
	       struct buf *out);

#endif
