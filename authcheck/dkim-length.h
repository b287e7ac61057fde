/* How long a body is in its canonical form (RFC 6376 section 3.4): what l= of
 * a signature is measured by. The library tells only how far it got. */
#ifndef AUTHCHECK_DKIM_LENGTH_H
#define AUTHCHECK_DKIM_LENGTH_H

#include <stdbool.h>
#include <stdint.h>

#include "authcheck/message.h"

/* The length in octets of M's body, relaxed or simple; -1 if it cannot be
 * read. */
int64_t dkim_body_length(const struct message *m, bool relaxed);

#endif
