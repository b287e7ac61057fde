/*
 * The journal of a message: what happened to it since it was promised. A
 * record is one line:
 *
 *     TIME VERB WORD … CRC
 *
 * with the words in percent encoding (base/encode.h), TIME in seconds since
 * 1970, and CRC, eight hexadecimal digits, the CRC-32C of the message's key,
 * its generation and the line up to the CRC. Reading stops at the first line
 * whose CRC is wrong: it is torn, or left over from an earlier message.
 * Records are never synced: losing the last of them only means that something
 * is done twice. Their verbs are in posthorn-queue(5).
 */
#ifndef QUEUE_JOURNAL_H
#define QUEUE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "queue/slot.h"

#define JOURNAL_RECORD_MAX (16 << 20) /* bytes of one record that is read */

/* Appends a record of WORD[N] (the first is the verb) to OUT. */
void journal_put(struct buf *out, const struct slot_super *s, int64_t when,
		 const char *const *word, size_t n);

/* Writes RECORDS at *AT, which moves on. ERR_OK, or an error, and *AT as it
 * was. */
MUST_CHECK int journal_write(int fd, const struct buf *records, off_t *at);

/* Reads all records and calls EACH for every one, until it gives false. The
 * words live during the call. *END is where the next record goes. ERR_OK or
 * ERR_IO. */
MUST_CHECK int journal_read(int fd, const struct slot_super *s, off_t *end,
		 bool (*each)(void *context, int64_t when,
			      const char *const *word, size_t n),
		 void *context);

#endif
