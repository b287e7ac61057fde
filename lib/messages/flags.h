/*
 * Flags and keywords of a message (RFC 3501 section 2.3.2), and the limits of
 * keywords.
 */
#ifndef MESSAGES_FLAGS_H
#define MESSAGES_FLAGS_H

#include <stdbool.h>
#include <stdint.h>

#define MAILBOX_KEYWORDS_MAX 64	 /* different keywords in one folder */
#define MAILBOX_KEYWORD_SIZE 100 /* bytes of one keyword, with the NUL */

enum mailbox_flag {
	MAILBOX_SEEN = 1 << 0,
	MAILBOX_ANSWERED = 1 << 1,
	MAILBOX_FLAGGED = 1 << 2,
	MAILBOX_DELETED = 1 << 3,
	MAILBOX_DRAFT = 1 << 4,
	MAILBOX_FLAGS_ALL = (1 << 5) - 1
};

/* Flags as a store may keep them in a message's name, the letters of Maildir:
 * bits 0 to 25 are a to z, then D F P R S T. Only some stand for flags. */
#define LETTER_D (1u << 26)

unsigned letters_flags(uint32_t letters);
/* OLD with the letters for FLAGS, and without those for other flags. */
uint32_t letters_with(uint32_t old, unsigned flags);

/* Can NAME be a keyword: an atom (RFC 3501 section 9) that is not too long? */
bool mailbox_is_keyword(const char *name);

#endif
