/*
 * Strings: comparison without locale, numbers, words. Letters are ASCII
 * letters here; what is beyond ASCII is never changed.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool str_equal(const char *a, const char *b);	/* either may be NULL */
bool str_equal_ci(const char *a, const char *b); /* ASCII case folded */
bool str_starts(const char *s, const char *prefix);
bool str_starts_ci(const char *s, const char *prefix);
bool str_ends_ci(const char *s, const char *suffix);

/* Is the span S, N the word WORD, ASCII case folded? */
bool str_span_is(const char *s, size_t n, const char *word);

/* ASCII case folding. str_lower works in place and gives S. */
int str_tolower(int c);
int str_toupper(int c);
char *str_lower(char *s);

bool str_isdigit(int c);
bool str_isalpha(int c);
bool str_isalnum(int c);
bool str_isspace(int c);	/* space, tab, CR, LF */
bool str_isprint(int c);	/* 0x20 to 0x7e */

/* Copies SRC with its NUL into SIZE bytes at DST. False, and an empty DST,
 * if it does not fit: nothing is truncated. */
bool str_copy(char *dst, size_t size, const char *src);

/* The whole of S as a decimal number within [MIN, MAX]; false otherwise. */
bool str_to_int(const char *s, int64_t min, int64_t max, int64_t *value);
/* The same for the span S, N. */
bool str_span_to_int(const char *s, size_t n, int64_t min, int64_t max,
		     int64_t *value);

/* "30s", "5m", "2h", "1d", "1w", or plain seconds, as seconds. */
bool str_to_seconds(const char *s, int64_t *seconds);

/* "500", "10k", "50M", "2G" (powers of 1024) as bytes. */
bool str_to_bytes(const char *s, int64_t *bytes);

/* Removes white space from both ends, in place; gives the first byte. */
char *str_trim(char *s);

/* Has S no byte above 0x7f? */
bool str_is_ascii(const char *s);
/* The same for the span S, N. */
bool str_span_is_ascii(const char *s, size_t n);

/* Is S, N well-formed UTF-8 (no surrogates, no overlong forms)? */
bool str_is_utf8(const char *s, size_t n);

/* The number of edits that make A into B, for "did you mean"; at most 99. */
unsigned str_distance(const char *a, const char *b);

/* A list that owns its strings. */
struct strlist {
	char **item;
	size_t n;
};
void strlist_add(struct strlist *l, const char *s);
void strlist_add_span(struct strlist *l, const char *s, size_t n);
/* Adds the words of TEXT, separated by commas and white space outside of
 * braces. */
void strlist_split(struct strlist *l, const char *text);
bool strlist_has_ci(const struct strlist *l, const char *s);
void strlist_free(struct strlist *l);

#endif
