/*
 * Telling senders of failures, delays, and success if asked for. The helper
 * (bouncer.h) writes the notice as a new message, like any receiver; only when
 * that is promised does the journal of the original message say so.
 */
#ifndef QUEUE_MANAGER_NOTICE_H
#define QUEUE_MANAGER_NOTICE_H

#include "queue-manager/active.h"

void notice_start(struct qmgr *q);

/* Is anybody to be told anything about A? */
bool notice_needed(const struct qmgr *q, struct active *a);

/* Asks the bouncer; active_told is called later. A's journal is on disk. */
void notice_request(struct qmgr *q, struct active *a);

/* Notes in the journal what the bouncer has told. */
void notice_note(struct qmgr *q, struct active *a);

/* A is about to be freed. */
void notice_forget(struct qmgr *q, struct active *a);

#endif
