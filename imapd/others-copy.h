/*
 * COPY, MOVE and REPLACE from the selected folder to a folder of another user, or
 * from one of theirs. One of both sides at least is a visit.
 */
#ifndef IMAPD_OTHERS_COPY_H
#define IMAPD_OTHERS_COPY_H

#include "imapd/others.h"

struct append;

/* A copy while it is made. */
struct copying {
	struct session *s;
	struct visit *from; /* or NULL: our user's folder */
	struct visit *to;   /* … */
	const char *name;
	bool move;
	uint32_t *seq; /* in our own folder */
	uint32_t *uid;
	size_t n;
	size_t asked;	       /* of these, with FETCH */
	bool fetching;	       /* … which has not ended */
	struct arena *scratch; /* of the current line */
	bool sending;	       /* an APPEND there has begun */
	struct buf head;       /* of the current message: flags and date */
	struct buf text;
	struct append *append;
	struct usage usage;
	uint64_t taken;
	uint32_t uidvalidity; /* what came of it */
	uint32_t first;
	/* The failure: one of them. */
	int code;
	const char *no;
	struct visit *lost;
	bool told; /* the client was */
};

void copying_begin(struct copying *c);

/* The client is told of a failure. */
void copying_end(struct copying *c);

/* Each notes the failure, and gives false; copying_failed gives whether there is
 * none. */
bool copying_failed(struct copying *c, int code);
bool copying_refused(struct copying *c, const char *no);

/* The reply to the APPEND there, which is in the visit's line: notes what came of
 * it; or that it does not go on. */
bool copying_added(struct copying *c, enum visit_reply reply);
bool copying_not_taken(struct copying *c, enum visit_reply reply);

/* All give false after a failure.
 *
 * May the client remove messages from the selected folder, if it moves them? To be
 * asked before anything is added. */
bool source_may_remove(struct copying *c);

/* Which messages the current command means. */
bool source_find(struct copying *c);

/* The text of the I-th, and its flags and date as APPEND has them; in order. */
bool source_read(struct copying *c, size_t i);

/* No more is read. */
bool source_end(struct copying *c);

/* What was added is durable: removes the messages. */
bool source_remove(struct copying *c);

#endif
