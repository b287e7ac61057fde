/*
 * Encodings of bytes as text. Each decoder is strict and bounded: it refuses
 * what the encoder would not have written, unless it says otherwise.
 */
#ifndef BASE_ENCODE_H
#define BASE_ENCODE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Base64 of RFC 4648 section 4, with padding, no line ends. */
void encode_base64(struct buf *out, const void *data, size_t n);
/* False on any byte outside the alphabet, missing padding, or bits set
 * beyond the end; OUT then holds an undefined part of the result. */
bool decode_base64(struct buf *out, const char *text, size_t n);

/* Lower-case hexadecimal; the decoder takes either case. */
void encode_hex(struct buf *out, const void *data, size_t n);
bool decode_hex(struct buf *out, const char *text, size_t n);

/* Percent encoding for our own records and packets: bytes below 0x21, 0x7f
 * and '%' become %XX, so the result has no space and no control character;
 * the empty string becomes "%". Bytes from 0x80 stay. */
void encode_percent(struct buf *out, const void *data, size_t n);
bool decode_percent(struct buf *out, const char *text, size_t n);

/* For logs and replies: control characters become \ooo or \n, \r, \t; a
 * backslash is doubled; bytes that are not UTF-8 become \ooo, and so do the
 * bytes of characters that cannot be seen, end a line, or turn the direction of
 * what follows. */
void encode_visible(struct buf *out, const char *data, size_t n);

#endif
