/*
 * The text that people wrote, for searching: transfer encodings, encoded
 * words and charsets decoded to UTF-8. Lenient: what cannot be decoded is
 * skipped or replaced, never refused. Results go to a buffer of the caller,
 * whose limit bounds them.
 */
#ifndef MIME_DECODE_H
#define MIME_DECODE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "mime/part.h"

/* RFC 2045 sections 6.8 and 6.7; bytes that do not belong are skipped. */
void mime_decode_base64(struct buf *out, const char *data, size_t n);
void mime_decode_qp(struct buf *out, const char *data, size_t n);

/* The "Q" encoding of encoded words (RFC 2047 section 4.2), in which '_' is a
 * blank, and "=5F" is '_'. */
void mime_decode_q(struct buf *out, const char *data, size_t n);

/* A header value with its encoded words (RFC 2047) decoded, unfolded. False if
 * there may be more in them than was found: one is too long, another begins in
 * it, or its charset hides something (below). */
bool mime_decode_words(struct buf *out, const char *value, size_t n);

/* The same; *KNOWN becomes false if a word's charset is unknown, so that another
 * process may find another text. */
bool mime_decode_words_known(struct buf *out, const char *value, size_t n,
			     bool *known);

/* Does each "=?" in the header value begin an encoded word that all programs
 * find: nothing glued to it, and no character in it that separates addresses
 * (RFC 2047 section 5)? */
bool mime_words_apart(const char *value, size_t n);

/* The text of the leaf PART of the message DATA. False, and nothing, if it
 * is not text. */
bool mime_decode_part(struct buf *out, const char *data,
		      const struct mime_part *part);

/* The same without a copy, if it can be had: *TEXT, *N is in DATA, or in WORK,
 * which is empty. *KNOWN becomes false as above. */
bool mime_part_text(struct buf *work, const char *data,
		    const struct mime_part *part, const char **text, size_t *n,
		    bool *known);

/* What the leaf PART of the message DATA is if it is no text: *TYPE, such as
 * "application/pdf", and the *NAME of its file, decoded, or NULL. Memory from
 * A. False: it is text, or no leaf. */
bool mime_attached(struct arena *a, const char *data,
		   const struct mime_part *part, const char **type,
		   const char **name);

/* The content of the leaf PART, its transfer encoding undone: *CONTENT, *N is in
 * DATA, or in WORK, which is empty. */
void mime_part_content(struct buf *work, const char *data,
		       const struct mime_part *part, const char **content,
		       size_t *n);

/* DATA, N from CHARSET to UTF-8. Of an unknown charset (false) bytes that
 * are not ASCII become '?'. */
bool mime_to_utf8(struct buf *out, const char *charset, const char *data,
		  size_t n);

/* Is DATA, N the same in UTF-8 as in CHARSET? False may only mean that this
 * would have to be tried. */
bool mime_is_utf8(const char *charset, const char *data, size_t n);

/* Is there a converter for CHARSET? */
bool mime_charset_known(const char *charset);

/* Is CHARSET one that we cannot convert, in which ASCII bytes may stand for
 * other characters? */
bool mime_charset_hides(const char *charset);

/* Opens converters for the usual charsets, for processes that cannot open
 * files later. */
void mime_charsets_preload(void);

/* TEXT, N for comparison: equality, order and substrings of the results, byte
 * by byte, are those of i;unicode-casemap (RFC 5051). What is no UTF-8 is taken
 * as ASCII and other bytes. */
void mime_collate(struct buf *out, const char *text, size_t n);

/* The same for searching: each row of white space and line ends is a blank. */
void mime_fold_case(struct buf *out, const char *text, size_t n);

#endif
