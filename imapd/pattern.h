/*
 * Patterns of LIST: "%" stands for anything within a level, "*" for anything
 * (RFC 3501 section 6.3.8). Levels are separated by '/'.
 */
#ifndef IMAPD_PATTERN_H
#define IMAPD_PATTERN_H

#include <stdbool.h>

/* Does NAME match? INBOX does in any case. Time is bounded by the product of
 * the lengths, however many wildcards there are. */
bool pattern_match(const char *pattern, const char *name);

#endif
