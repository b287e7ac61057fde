/* The length of a body in its canonical form (RFC 6376 section 3.4), to which
 * l= of a signature refers. The library only tells how far it got. */
#ifndef AUTHCHECK_DKIM_LENGTH_H
#define AUTHCHECK_DKIM_LENGTH_H

#include <stdbool.h>
#include <stdint.h>

#include "authcheck/message.h"

/* The length in octets of M's body, relaxed or simple; -1 if it cannot be
 * read. */
int64_t dkim_body_length(const struct message *m, bool relaxed);

#endif
