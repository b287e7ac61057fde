/* Sending a message: RETR and TOP. */
#ifndef POP3D_RETRIEVE_H
#define POP3D_RETRIEVE_H

#include <stdint.h>

#include "io/stream.h"
#include "mailbox/mailbox.h"

/* Replies with message SEQ of M, SIZE octets long: with LINES of 0 and more,
 * its header and that many lines of the body. ERR_NOT_FOUND: nothing is sent
 * yet. Any other error: a part is sent, and the connection must end. */
int retrieve_send(struct stream *io, struct mailbox *m, uint32_t seq,
		  uint32_t size, long long lines);

#endif
