/*
 * What keeper found in files of the queue: the answers found, junk, rot, busy
 * and scanned of keeper.h, in q->in. A finding is of a moment that is past
 * when it arrives: only a number that qmgr does not know can mean what it
 * says, or one that it asked about (errand.h).
 */
#ifndef QUEUE_MANAGER_FINDING_H
#define QUEUE_MANAGER_FINDING_H

#include "queue-manager/qmgr.h"

void finding_on_found(struct qmgr *q);
void finding_on_junk(struct qmgr *q);
void finding_on_rot(struct qmgr *q);
void finding_on_busy(struct qmgr *q);
void finding_on_scanned(struct qmgr *q);

#endif
