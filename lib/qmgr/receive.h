/*
 * Handing a message to the queue: the side of the receivers (smtpd, submit,
 * and qmgr's own writer of bounces). The receiver gets an open slot from
 * qmgr, writes content and envelope, syncs, and tells qmgr. When
 * queue_commit gives ERR_OK, a power cut cannot lose the message any more:
 * only then may `250` be sent.
 *
 * One message at a time. The connection to qmgr stays open; the next slot is
 * asked for ahead of need.
 */
#ifndef QMGR_RECEIVE_H
#define QMGR_RECEIVE_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "queue/envelope.h"

struct queue_receiver;

/* A receiver that connects to qmgr when it is first needed. */
struct queue_receiver *queue_receiver_new(void);
void queue_receiver_free(struct queue_receiver **r);

/* Begins a message. ERR_OK; ERR_TEMP if qmgr is not available; ERR_NO_SPACE if
 * intake is stopped for lack of disk space (452). */
MUST_CHECK int queue_begin(struct queue_receiver *r);

/* The id of the message begun, for replies, Received and the log. */
const char *queue_id(const struct queue_receiver *r);

/* Appends N bytes of content (CRLF line ends). Buffered; checksummed on the
 * way. Errors: ERR_NO_SPACE, ERR_IO; after an error only queue_abandon. */
MUST_CHECK int queue_write(struct queue_receiver *r, const void *data, size_t n);

/* Replaces the first N bytes of the content so far by the M bytes at DATA. The
 * rest is not copied: a message behind the halves has some room before it.
 * ERR_TOO_LONG if that is not enough; others as queue_write. */
MUST_CHECK int queue_replace_head(struct queue_receiver *r, size_t n,
				  const void *data, size_t m);

/* Forgets the content so far: the caller writes it anew. */
MUST_CHECK int queue_restart(struct queue_receiver *r);

/* Writes buffered content to the file, so that queue_file can be read. */
MUST_CHECK int queue_flush(struct queue_receiver *r);

/* The slot with the content so far, from *OFFSET, *LENGTH bytes, open for
 * reading only: for authcheck. The descriptor stays the receiver's. */
int queue_file(const struct queue_receiver *r, off_t *offset, off_t *length);

/* Writes envelope and superblock, syncs, tells qmgr and waits for its answer.
 * ERR_OK: promised, even if qmgr died before it answered, since the next one
 * finds the message. Any other code: not promised, and the slot is given up; a
 * second sync is never tried. */
MUST_CHECK int queue_commit(struct queue_receiver *r, const struct envelope *e);

/* Gives up the message begun; harmless when there is none. */
void queue_abandon(struct queue_receiver *r);

#endif
