/*
 * The receivers' side: connections of smtpd, submit, pickup and the bouncer.
 * A receiver gets slots and commits messages (qmgr/receive.h). A slot is only
 * lent again to the connection that had it, since a descriptor that was handed
 * out cannot be taken back; its slots are removed when it ends.
 *
 *     open                        -> slot: slot, generation, + descriptor
 *                                    (of one that it does not have yet),
 *                                    close… ; or no-space
 *     commit  slot, generation    -> queued, and the next slot as above if
 *                                    there is one; or refused: why
 */
#ifndef QUEUE_MANAGER_INTAKE_H
#define QUEUE_MANAGER_INTAKE_H

#include "queue-manager/qmgr.h"

/* Begins to accept receivers at the socket qmgr. */
void intake_start(struct qmgr *q);

/* Gives slots to the receivers that wait for one. */
void intake_feed(struct qmgr *q);

/* The message in SLOT is done: its owner may have the slot again, or it is
 * removed. */
void intake_slot_done(struct qmgr *q, struct slot *slot, bool reusable);

/* The message in SLOT has to wait: its owner is to close it. */
void intake_disown(struct slot *slot);

#endif
