#include "messages/flags.h"

#include <stddef.h>
#include <string.h>

static const struct {
	uint32_t letter;
	unsigned flag;
} meaning[] = {
	{ LETTER_D, MAILBOX_DRAFT },	     { LETTER_D << 1, MAILBOX_FLAGGED },
	{ LETTER_D << 3, MAILBOX_ANSWERED }, { LETTER_D << 4, MAILBOX_SEEN },
	{ LETTER_D << 5, MAILBOX_DELETED },
};
#define NMEANINGS (sizeof(meaning) / sizeof(meaning[0]))

unsigned letters_flags(uint32_t letters)
{
	unsigned flags = 0;
	size_t i;

	for (i = 0; i < NMEANINGS; i++)
		if (letters & meaning[i].letter)
			flags |= meaning[i].flag;
	return flags;
}

uint32_t letters_with(uint32_t old, unsigned flags)
{
	size_t i;

	for (i = 0; i < NMEANINGS; i++) {
		old &= ~meaning[i].letter;
		if (flags & meaning[i].flag)
			old |= meaning[i].letter;
	}
	return old;
}

bool mailbox_is_keyword(const char *name)
{
	size_t n = strlen(name), i;

	if (n == 0 || n >= MAILBOX_KEYWORD_SIZE)
		return false;
	for (i = 0; i < n; i++) {
		unsigned char c = (unsigned char)name[i];

		if (c <= ' ' || c > '~' || strchr("(){%*\"\\]", c))
			return false;
	}
	return true;
}
