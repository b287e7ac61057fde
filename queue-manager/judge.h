/*
 * What is in a slot's file from before this qmgr, and whether it may be
 * removed: decided only here. It may be removed only if it is provably ours
 * and was never promised, or is done; what is not understood is kept.
 * posthorn-queue(5) has the same as a table.
 */
#ifndef QUEUE_MANAGER_JUDGE_H
#define QUEUE_MANAGER_JUDGE_H

#include <stdint.h>

#include "queue-manager/message.h"

enum verdict {
	VERDICT_MESSAGE, /* promised, and complete */
	VERDICT_UNUSED,	 /* no message, or one that is done */
	VERDICT_TORN,	 /* a write that a crash interrupted: never promised */
	VERDICT_DAMAGED, /* what was read is wrong: to be put aside */
	VERDICT_STRANGE, /* not ours to touch: another version of the format */
	VERDICT_UNREAD	 /* not all could be read: to be judged again later */
};

struct judged {
	enum verdict verdict;
	char id[QUEUE_ID_SIZE]; /* "" if it is not known */
	char why[256];		/* of VERDICT_DAMAGED, STRANGE and UNREAD;
				 * else "", or what is worth a line */
	struct message m;	/* loaded for VERDICT_MESSAGE */
};

/* Judges FD, the file of slot NUMBER, to which nobody may be writing. Call
 * judge_end afterwards. */
void judge(struct judged *j, uint32_t number, int fd);
void judge_end(struct judged *j);

#endif
