/* A user's .forward, read by a worker that is the user. */
#ifndef LOCAL_DELIVER_FORWARD_H
#define LOCAL_DELIVER_FORWARD_H

#include <stdbool.h>

#include "base/buf.h"
#include "local-deliver/worker.h"

/* Is there one for Q? Then OUT has its content, as targets_hear takes it. An
 * empty one counts as none, and so does one that cannot be used: in the
 * mailbox the user misses nothing. */
bool forward_found(const struct worker_request *q, struct buf *out);

#endif
