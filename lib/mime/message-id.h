/*
 * Message identifiers (RFC 5322 section 3.6.4) in Message-ID, In-Reply-To and
 * References, as real programs write them: white space and comments are left
 * out, quoted text is unquoted, and what is between them is skipped.
 */
#ifndef MIME_MESSAGE_ID_H
#define MIME_MESSAGE_ID_H

#include <stdbool.h>

#include "base/buf.h"

/* The next identifier at *POS, before END, replaces the content of OUT,
 * without < and >. False: there is none; OUT is then undefined. */
bool mime_message_id(const char **pos, const char *end, struct buf *out);

#endif
