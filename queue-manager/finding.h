/*
 * What keeper found in files of the queue: the answers found, junk, rot, unread,
 * busy, scanned and counted of keeper.h, in q->in. A finding may be out of date when it
 * arrives: it is believed only for a number that qmgr does not know, or that
 * it asked about (errand.h).
 */
#ifndef QUEUE_MANAGER_FINDING_H
#define QUEUE_MANAGER_FINDING_H

#include "queue-manager/qmgr.h"

void finding_on_found(struct qmgr *q);
void finding_on_junk(struct qmgr *q);
void finding_on_rot(struct qmgr *q);
void finding_on_unread(struct qmgr *q);
void finding_on_busy(struct qmgr *q);
void finding_on_scanned(struct qmgr *q);
void finding_on_counted(struct qmgr *q);

/* Once a second: has keeper count the files in corrupt/ if some came or went,
 * by whoever it was. */
void finding_tick(struct qmgr *q);

#endif
