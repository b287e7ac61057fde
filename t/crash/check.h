/*
 * Recovery from one state, and whether all promises hold after it.
 *
 * The queue is scanned by qmgr's own helper (queue-manager/keeper.c); what it
 * finds for local recipients is delivered, as the suite would do; then all
 * mailboxes are opened. What must hold:
 *
 * - what was answered 250 or OK is delivered, or in the queue, or its sender
 *   is told that it failed, now or by the queue;
 * - each message that can be seen is whole and was sent to that mailbox;
 * - what a client was told of a folder (UIDVALIDITY, UIDs and their messages,
 *   flags, what was expunged) holds; UIDNEXT and HIGHESTMODSEQ did not go
 *   back;
 * - nothing counts as damaged: no power cut damages what was written right.
 */
#ifndef T_CRASH_CHECK_H
#define T_CRASH_CHECK_H

#include "t/crash/fact.h"

/* In the files below TOP, which it changes. False, with one line in WHY. */
bool check_state(struct facts *f, const char *top, char *why, size_t size);

/* Where the disk is ordered (disk.h), before recovery: no file of ours that has
 * a name among the messages may be shorter than the name says, for any mail
 * program may look before we do. */
bool check_visible(const char *top, char *why, size_t size);

#endif
