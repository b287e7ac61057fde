/*
 * Shared by the files of qmgr/receive.h: receive.c (the connection to qmgr and
 * incoming content) and receive-store.c (the message as a whole).
 */
#ifndef QMGR_RECEIVE_PARTS_H
#define QMGR_RECEIVE_PARTS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "ipc/ipc.h"
#include "queue/id.h"
#include "qmgr/receive.h"

#define SLOTS_MAX 16

struct lent {
	uint32_t number;
	int fd; /* -1: the place is free */
	int ro; /* the same file, for programs that may only read */
};

struct queue_receiver {
	int sock;		     /* -1 when not connected */
	struct lent lent[SLOTS_MAX]; /* what qmgr lets us keep open */
	int at;			     /* index of the slot to fill, or -1 */
	uint32_t generation;	     /* of the message that goes into it */
	bool begun;
	bool spilled; /* content is behind the halves … */
	off_t start;  /* … from here */
	char id[QUEUE_ID_SIZE];
	struct buf held; /* content not yet written */
	off_t written;	 /* bytes of content in the file */
	off_t length;	 /* bytes of content */
	uint32_t crc;
	struct ipc_out out;
	struct ipc_in in;
};

/* Where content goes in the file, and the file. */
off_t receive_content_at(const struct queue_receiver *r);
int receive_fd(const struct queue_receiver *r);

/* From now on content goes behind the halves. All of it was still held. */
void receive_spill(struct queue_receiver *r);

/* Writes the message with its ENVELOPE, and syncs: after ERR_OK it is
 * promised. */
MUST_CHECK int receive_store(struct queue_receiver *r, struct buf *envelope);

#endif
