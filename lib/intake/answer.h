/*
 * The answer to a client that brings mail, in the form of an SMTP reply: code,
 * enhanced code (RFC 3463) and text in one line without its line end. Bytes
 * from outside are made harmless (no control characters), and a text that is
 * too long is cut at the end, which only people read.
 */
#ifndef INTAKE_ANSWER_H
#define INTAKE_ANSWER_H

#include <stdbool.h>

#define ANSWER_SIZE 512 /* RFC 5321 section 4.5.3.1.5 */

struct answer {
	char text[ANSWER_SIZE - 2]; /* "550 5.1.1 <x>: no such user" */
};

/* Sets the whole text: codes first, as in a constant of the source. */
void answer_set(struct answer *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The same, and gives false: a check ends with `return answer_refuse(…)`. */
bool answer_refuse(struct answer *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The first digit of the code: '2' done, '3' go on, '4' try again, '5' no. */
char answer_class(const struct answer *r);

#endif
