/*
 * The helper that makes, scans and removes slot files, so that qmgr never
 * waits for the disk. Packets to it:
 *
 *     make    first, count     new slots, zeroed and durable with their names
 *     remove  slot…            unlink
 *     corrupt slot             move to corrupt/
 *     scan                     look at all files beside other work
 *
 * and from it:
 *
 *     made    first, count, why   how many were made from `first` on; `why`
 *                                 is "exists", "no-space" or "error" if fewer
 *     found   m…                  promised messages: "slot generation arrival
 *                                 next attempts held"
 *     junk    slot…               files that hold no promise
 *     rot     slot, id, why       a promise that cannot be kept
 *     scanned promised, torn, unused, damaged
 *                                 the end of the scan: how many of each
 *
 * What the scan says may be out of date when it arrives: qmgr ignores slots
 * that it knows already.
 */
#ifndef QUEUE_MANAGER_KEEPER_H
#define QUEUE_MANAGER_KEEPER_H

struct qmgr;

#define KEEPER_BATCH 64		/* slots or messages in one packet */

/* Runs in the child; its working directory is the queue directory. */
int keeper_run(struct qmgr *q, int sock);

#endif
