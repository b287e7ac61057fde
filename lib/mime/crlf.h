/*
 * Converts the line ends of stored messages, LF, CRLF or mixed, to CRLF for
 * protocols.
 */
#ifndef MIME_CRLF_H
#define MIME_CRLF_H

#include <stddef.h>

#include "base/buf.h"

/* The size of DATA, N with every line end CRLF. */
size_t mime_crlf_size(const char *data, size_t n);

/* Appends DATA, N with every line end CRLF. LAST is the byte before DATA in
 * its file, or 0. */
void mime_put_crlf(struct buf *out, char last, const char *data, size_t n);

#endif
