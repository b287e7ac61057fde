/* A user's .forward, read by a worker that is the user. */
#ifndef LOCAL_DELIVER_FORWARD_H
#define LOCAL_DELIVER_FORWARD_H

#include <stdbool.h>

#include "base/buf.h"
#include "local-deliver/worker.h"

/* Is there one for Q? Then OUT has what it holds, as targets_hear takes it. An
 * empty one is none, and neither is one that cannot be used: his mailbox is
 * where a user will miss nothing. */
bool forward_found(const struct worker_request *q, struct buf *out);

#endif
