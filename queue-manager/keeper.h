/*
 * The helper that makes, scans and removes slot files, so that qmgr never
 * waits for the disk. Packets to it:
 *
 *     make    first, count     new slots, zeroed and durable with their names
 *     remove  slot…            unlink
 *     corrupt slot…            move to corrupt/
 *     look    slot…            report what is in these
 *     count                    say how many files are in corrupt/
 *     scan                     examine all files beside other work: at start,
 *                              and again when files that it left alone may
 *                              have been mended
 *
 * and from it:
 *
 *     made    first, count, why   how many were made from `first` on; `why`
 *                                 is "exists", "no-space" or "error" if fewer
 *     found   m…                  promised messages: "slot generation arrival
 *                                 next attempts held"
 *     junk    torn…, unused…      files without a promise
 *     rot     slot, id, why       a file that cannot be understood; perhaps a
 *                                 promise that cannot be kept
 *     unread  slot, why           a file that cannot be read now, perhaps a
 *                                 promise: to be examined again
 *     busy    slot                no message, but somebody can still write to
 *                                 it: to be examined again
 *     anew    slot…               the answer to `remove` and `corrupt`, and the
 *                                 first to `look`: earlier findings about
 *                                 these have been reported
 *     looked  slot…               the end of the answer to `look`
 *     scanned strange             the end of the scan, and how many files it
 *                                 left alone
 *     counted corrupt          the answer to `count`, and to `corrupt` too
 *
 * What the scan reports may be out of date when it arrives: qmgr ignores slots
 * that it already knows, and knows a slot until `anew` comes for it.
 */
#ifndef QUEUE_MANAGER_KEEPER_H
#define QUEUE_MANAGER_KEEPER_H

struct qmgr;

#define KEEPER_BATCH 64		/* slots or messages in one packet */

/* Runs in the child; its working directory is the queue directory. */
int keeper_run(struct qmgr *q, int sock);

#endif
