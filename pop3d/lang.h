/* LANG (RFC 6856 section 3): in which language replies are. */
#ifndef POP3D_LANG_H
#define POP3D_LANG_H

#include "io/stream.h"

/* Answers LANG with the argument RANGE, or "" to list the languages. There is
 * one, English. */
void lang_answer(struct stream *io, const char *range);

#endif
