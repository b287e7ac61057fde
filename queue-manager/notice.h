/*
 * Telling senders: failures, success where asked for, delays. The helper
 * (bouncer.h) writes the notice as a new message, like any receiver; only
 * when it is promised does the journal of the first message say so.
 */
#ifndef QUEUE_MANAGER_NOTICE_H
#define QUEUE_MANAGER_NOTICE_H

#include "queue-manager/active.h"

void notice_start(struct qmgr *q);

/* Is anybody to be told anything of A? */
bool notice_needed(const struct qmgr *q, struct active *a);

/* Asks the bouncer; active_told comes later. A's journal is on disk. */
void notice_request(struct qmgr *q, struct active *a);

/* Notes in the journal what the bouncer has told. */
void notice_note(struct qmgr *q, struct active *a);

/* A ends to be. */
void notice_forget(struct qmgr *q, struct active *a);

#endif
