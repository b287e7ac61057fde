/*
 * What the files of pickup share: taking one submission (queue/submit.h),
 * whether it came by the socket or lay in the drop folder.
 */
#ifndef SUBMIT_PICKUP_H
#define SUBMIT_PICKUP_H

#include <stdbool.h>
#include <sys/types.h>

#include "config/config.h"
#include "smtp/intake.h"
#include "smtp/reply.h"

struct pickup {
	const struct config *config;
	const char *myorigin;
	int64_t size_limit;    /* message_size_limit, 0: none */
	char *drop;	       /* the folder */
	struct intake *intake; /* made in each process when it starts */
};

/* Takes the submission FD of the user UID. REPLY is what to tell him: true
 * (2xx) if it is safe in the queue. */
bool pickup_take(struct pickup *p, int fd, uid_t uid, struct smtp_reply *reply);

/* Starts the process that watches the drop folder; it ends with its parent.
 * Call it before the children are started. */
void pickup_watch_drop(struct pickup *p);

#endif
