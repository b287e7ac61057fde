/*
 * What the files of pickup share: taking one posting (intake/posting.h), from
 * the socket or the drop folder.
 */
#ifndef PICKUP_PICKUP_H
#define PICKUP_PICKUP_H

#include <stdbool.h>
#include <sys/types.h>

#include "config/config.h"
#include "intake/intake.h"
#include "intake/answer.h"

struct pickup {
	const struct config *config;
	const char *myorigin;
	int64_t size_limit;    /* message_size_limit, 0: none */
	char *drop;	       /* the folder */
	struct intake *intake; /* made in each process when it starts */
};

/* The intake's rows for postings, besides its own. */
extern const struct intake_row pickup_rows[];

/* Takes the posting FD of the user UID. REPLY is the reply: true (2xx) if it is
 * safe in the queue. */
bool pickup_take(struct pickup *p, int fd, uid_t uid, struct answer *reply);

/* Opens the drop folder; false, with a line in the log, if it is missing.
 * pickup_watch_drop then runs in the process that watches it: for prefork,
 * aside. */
bool pickup_open_drop(struct pickup *p);
void pickup_watch_drop(void *pickup);

#endif
