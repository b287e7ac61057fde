/* A message that tells a user that the mailbox is nearly full. */
#ifndef LOCAL_DELIVER_WARNING_H
#define LOCAL_DELIVER_WARNING_H

#include "local-deliver/worker.h"
#include "mailbox/store.h"

/* The mailbox of Q holds NOW, after a delivery: warns its user if a threshold
 * was crossed, with a message in the INBOX. What fails is logged. */
void warning_consider(const struct worker_request *q, const struct usage *now);

#endif
