/*
 * Flags between their names and the mailbox's bits (RFC 3501 section 2.3.2).
 */
#ifndef IMAPD_FLAGS_H
#define IMAPD_FLAGS_H

#include <stdbool.h>

#include "base/buf.h"
#include "imapd/args.h"
#include "mailbox/mailbox.h"

#define FLAGS_SYSTEM "\\Answered \\Flagged \\Deleted \\Seen \\Draft"

struct flags {
	unsigned flags;
	const char *keyword[MAILBOX_KEYWORDS_MAX];
	size_t nkeywords;
};

/* Reads the flags at A, a list or the rest of the arguments. \Recent is
 * ignored, since no client can change it. NULL, or what is wrong. */
const char *flags_parse(const struct arg *a, struct flags *f);

/* The bits of F's keywords in M; CREATE makes missing ones. Gives a code. */
int flags_bits(struct mailbox *m, const struct flags *f, bool create,
	       uint64_t *bits);

/* Appends "(\Seen …)". */
void flags_put(struct buf *out, const struct mailbox *m,
	       const struct mailbox_message *msg);

#endif
