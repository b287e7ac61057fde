/* Sending a message: RETR and TOP. */
#ifndef POP3D_RETRIEVE_H
#define POP3D_RETRIEVE_H

#include <stdint.h>

#include "io/stream.h"
#include "mailbox/mailbox.h"

/* Replies with message SEQ of M; if LINES is 0 or more, with its header and
 * that many lines of the body. Gives a code. On an error with *BEGUN set, a
 * part was sent, and the connection must end; otherwise nothing was sent. */
int retrieve_send(struct stream *io, struct mailbox *m, uint32_t seq,
		  long long lines, bool *begun);

#endif
