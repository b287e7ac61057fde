/*
 * Characters that content may not have: message_reject_characters and
 * message_strip_characters. They are looked for in the bytes as they come;
 * what an encoding hides is not looked at. CR and LF are never among them:
 * lines end with these (smtp/data.h).
 */
#ifndef INTAKE_CHARACTERS_H
#define INTAKE_CHARACTERS_H

#include <stdbool.h>
#include <stddef.h>

struct characters {
	unsigned char c[256];
	size_t n;
};

/* TEXT as in C: \a \b \f \v \t, \ and up to three octal digits; \ before any
 * other character means that character. */
void characters_read(struct characters *set, const char *text);

bool characters_occur(const struct characters *set, const char *data, size_t n);

/* Removes them from DATA, N in place; gives how much is left. */
size_t characters_strip(const struct characters *set, char *data, size_t n);

#endif
