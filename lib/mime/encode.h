/*
 * Bodies in the transfer encodings of RFC 2045, for channels that only take
 * 7-bit lines: the opposite of decode.h. Output goes to a sink piece by
 * piece, so that a body need not be held twice.
 */
#ifndef MIME_ENCODE_H
#define MIME_ENCODE_H

#include <stddef.h>

/* Takes N bytes; gives ERR_OK or the code that ends the work. */
typedef int mime_sink(void *context, const void *data, size_t n);

/* The body DATA, N, CRLF line ends, as quoted-printable (section 6.7): its
 * line ends stay line ends, and no line is longer than 76. Gives ERR_OK or
 * the sink's code, like all functions here. */
int mime_encode_qp(const char *data, size_t n, mime_sink *sink, void *context);

/* The same for what is already quoted-printable, but has bytes that are not
 * allowed in it: only these are encoded. */
int mime_mend_qp(const char *data, size_t n, mime_sink *sink, void *context);

/* As base64 in lines of 76 (section 6.8); the last one without its end. */
int mime_encode_base64(const char *data, size_t n, mime_sink *sink,
		       void *context);

/* DATA without the bytes from 0x80 on, which mean nothing in base64. */
int mime_mend_base64(const char *data, size_t n, mime_sink *sink,
		     void *context);

/* DATA with '?' for each byte from 0x80 on: for text that no program shows. */
int mime_mask(const char *data, size_t n, mime_sink *sink, void *context);

/* Of DATA, N: how many bytes are from 0x80 on, at most MAX of them. */
size_t mime_count_8bit(const char *data, size_t n, size_t max);

#endif
