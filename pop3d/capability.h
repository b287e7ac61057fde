/* Capabilities: CAPA (RFC 2449), and the mechanisms of AUTH (RFC 5034). */
#ifndef POP3D_CAPABILITY_H
#define POP3D_CAPABILITY_H

#include <stdbool.h>
#include <stdint.h>

#include "io/stream.h"

/* The reply to CAPA. STLS and PASSWORDS: whether they are offered now;
 * LOGIN_DELAY: seconds between logins, 0: any. */
void capability_put(struct stream *io, bool stls, bool passwords,
		    int64_t login_delay);

/* The reply to AUTH alone. */
void capability_put_mechanisms(struct stream *io, bool passwords);

bool capability_has_mechanism(const char *name);

#endif
