/*
 * One reply of an SMTP server: code, enhanced code (RFC 3463) and text in one
 * line without its end. Bytes from outside that come into it are made
 * harmless (no control characters), and too long a text is cut at the end,
 * where only people read.
 */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include <stdbool.h>

#define SMTP_REPLY_SIZE 512 /* RFC 5321 section 4.5.3.1.5 */

struct smtp_reply {
	char text[SMTP_REPLY_SIZE - 2]; /* "550 5.1.1 <x>: no such user" */
};

/* Sets the whole text: codes first, as in a constant of the source. */
void smtp_reply_set(struct smtp_reply *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The same, and gives false: a check ends with `return smtp_refuse(…)`. */
bool smtp_refuse(struct smtp_reply *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The first digit of the code: '2' done, '3' go on, '4' try again, '5' no. */
char smtp_reply_class(const struct smtp_reply *r);

#endif
