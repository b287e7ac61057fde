/*
 * Messages with parts of arbitrary bytes (Content-Transfer-Encoding: binary,
 * RFC 3030) as messages of lines: such parts become base64. Only the header
 * fields that say so change with them.
 */
#ifndef MIME_UNBINARY_H
#define MIME_UNBINARY_H

#include <stdbool.h>
#include <stddef.h>

#include "mime/encode.h"
#include "mime/part.h"

/* Is all of the message ROOT in DATA text, but for those parts? No NUL may be
 * anywhere else. */
bool mime_is_binary_in_parts(const struct mime_part *root, const char *data,
			     size_t n);

/* Gives the message to SINK. ERR_OK or the sink's code. */
int mime_unbinary(const struct mime_part *root, const char *data, size_t n,
		  mime_sink *sink, void *context);

#endif
