/* What the files of one scan share: see scan.c. */
#ifndef MAILBOX_SCAN_H
#define MAILBOX_SCAN_H

#include <limits.h>

#include "base/err.h"
#include "mailbox/opened.h"
#include "mailbox/twin.h"

/* How many files something was done with, and one of them. */
struct tally {
	size_t n;
	char first[NAME_MAX + 1];
};

struct scan {
	struct mailbox *m;
	struct listing l;
	uint32_t *slot; /* hash table of indices of entries, plus 1 */
	size_t mask;
	size_t *fresh; /* files that no entry has */
	size_t nfresh;
	uint32_t *place; /* of an entry in the listing, plus 1 */
	struct twins twins;
	struct batch b;
	bool waiting; /* a file is not complete, or was not seen: look again */
	struct tally finished; /* files whose expunge was not finished */
	struct tally back; /* files that may be, or may have been restored */
	struct tally unread; /* files that could not be looked at */
	struct tally huge;   /* files over 4 GiB */
};

/* File I of the listing. */
struct message_ref scan_ref(const struct scan *s, size_t i);

/* Gives it the one spelling and place where it is looked for; if that fails,
 * although it is there, the scan is repeated. */
int scan_settle_name(struct scan *s, size_t i) MUST_CHECK;

/* The files that no entry has become messages, unless they are what an expunge
 * or a delivery left. An error: none of them, since it is not known. */
int scan_adopt(struct scan *s) MUST_CHECK;

#endif
