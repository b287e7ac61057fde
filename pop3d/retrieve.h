/* Sending a message: RETR and TOP. */
#ifndef POP3D_RETRIEVE_H
#define POP3D_RETRIEVE_H

#include <stdint.h>

#include "io/stream.h"
#include "mailbox/mailbox.h"

/* Replies with message SEQ of M; with LINES of 0 and more, with its header and
 * that many lines of the body. Gives a code. If it is an error, and *BEGUN is
 * set, a part is sent, and the connection must end; else nothing is. */
int retrieve_send(struct stream *io, struct mailbox *m, uint32_t seq,
		  long long lines, bool *begun);

#endif
