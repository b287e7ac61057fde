/*
 * Modified UTF-7 (RFC 3501 section 5.1.3), in which folder names are on the
 * wire and, with DISK, on disk: there '/' is '.', and '.' is "&AC4-".
 */
#ifndef MAILBOX_MUTF7_H
#define MAILBOX_MUTF7_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* UTF8, which is well-formed, into OUT. False: it is longer than SIZE; OUT is
 * then "". */
bool mutf7_encode(const char *utf8, char *out, size_t size, bool disk);

/* TEXT as UTF-8 into OUT, also if it is not as mutf7_encode would write it.
 * False: not valid, or longer than SIZE; OUT is then "". */
bool mutf7_decode(const char *text, char *out, size_t size, bool disk);

#endif
