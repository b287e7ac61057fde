/*
 * Short stories: a few operations on a mailbox, one after the other, by one
 * session that has INBOX open all the time, as an IMAP client does.
 */
#ifndef T_CRASH_SHORT_H
#define T_CRASH_SHORT_H

#include <stdbool.h>

struct session;

/* An operation; false: there was nothing to do. */
struct short_word {
	const char *word;
	bool (*act)(struct session *x);
};

/* The operations, each list ended by a NULL: those of every day, and others. */
extern const struct short_word short_words[], short_rare[];

#define SHORT_IDLE 3 /* exit code: the last operation had nothing to do */

/* Makes below TOP, which is empty, what every story begins with. */
void short_prepare(const char *top);

/* Does the operations of WORDS, with commas, below TOP. The file that
 * CRASH_RECORD names gets what the client was told; and the fact `now` before
 * the last operation, since the stories that are shorter have all before.
 * An exit code: 0, SHORT_IDLE, or 2 for an operation that failed. */
int short_run(const char *top, const char *words);

#endif
