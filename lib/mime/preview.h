/*
 * The first words of a message, for lists: what a person wrote, in UTF-8,
 * without markup, line ends, and what is quoted from others.
 */
#ifndef MIME_PREVIEW_H
#define MIME_PREVIEW_H

#include <stddef.h>

#include "base/buf.h"

#define MIME_PREVIEW_MAX 200 /* characters */

/* Appends the preview of the message DATA, N; nothing if it has no text. */
void mime_preview(struct buf *out, const char *data, size_t n);

#endif
