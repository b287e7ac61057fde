/*
 * One HTTP/1.1 GET for a policy (RFC 8461 section 3.3): only status 200, only
 * text/plain, no redirect, at most LIMIT bytes of body; lengths, chunks and
 * header are bounded.
 */
#ifndef REMOTE_SEND_TLS_POLICY_HTTP_H
#define REMOTE_SEND_TLS_POLICY_HTTP_H

#include <stdbool.h>

#include "base/buf.h"
#include "io/stream.h"

/* Asks HOST over S for PATH; the body goes to BODY, whose max is the limit.
 * NULL, or what was wrong. The stream's timeout and deadline hold. */
const char *http_get(struct stream *s, const char *host, const char *path,
		     struct buf *body);

#endif
