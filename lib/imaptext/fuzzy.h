/*
 * Texts that are nearly what is looked for (RFC 6203): each word of the needle is
 * in the text, in any order, as a part of a word, or as a word that differs by one
 * letter, or by two if it is long. Accents do not count.
 *
 * The cost is a few operations for each byte of the text and each word.
 */
#ifndef IMAPTEXT_FUZZY_H
#define IMAPTEXT_FUZZY_H

#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"

#define FUZZY_WORDS_MAX 8 /* as many words may have errors */

struct fuzzy;

/* What is looked for, as of mime_fold_case, with memory from A. */
struct fuzzy *fuzzy_new(struct arena *a, const char *needle, size_t n);

/* How near TEXT, as of mime_fold_case, comes: 1 to 80; 0: it does not. A text that
 * has the needle as it is, is for the caller to find. WORK is work space. */
unsigned fuzzy_score(const struct fuzzy *f, const struct buf *text,
		     struct buf *work);

#endif
