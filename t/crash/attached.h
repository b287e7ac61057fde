/*
 * Messages that are documents, and the command that makes their text: it has
 * no program here, and gives for each body the same text.
 */
#ifndef T_CRASH_ATTACHED_H
#define T_CRASH_ATTACHED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "client/decoder.h"
#include "mailbox/mailbox.h"

#define ATTACHED_TYPE "application/x-crash"

const struct decoders *attached_decoders(void);

/* Does a search in the message at SEQ, which is TEXT, get what was made of
 * it? True as well if it is no document. */
bool attached_is_right(struct mailbox *m, uint32_t seq, const struct buf *text);

#endif
