/*
 * What is said about a folder and all folders below it, in the words of
 * Dovecot's quota_rule:
 *
 *	*:storage=1G:messages=1000	all folders: the user's limits
 *	Trash:storage=+10%		what comes here may exceed these by so much
 *	Spam:ignore			what is here does not count
 *	Archive:storage=5G		limits of this tree alone, beside those
 *
 * A number of storage is in KiB, or has a letter B, K, M, G or T; of bytes in
 * bytes. Folders are named in UTF-8, with '/' between levels.
 */
#ifndef CLIENT_QUOTA_RULE_H
#define CLIENT_QUOTA_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct quota_amount {
	int64_t value; /* QUOTA_DEFAULT: nothing is said */
	bool more;     /* so much more than the user's limit … */
	bool percent;  /* … of which it is a part */
};

#define QUOTA_DEFAULT (-1)

struct quota_rule {
	const char *tree; /* N bytes of the text */
	size_t n;
	bool ignore;
	struct quota_amount bytes;
	struct quota_amount messages;
};

/* Reads the word at TEXT, up to a space or the end. False: it is no rule. */
bool quota_rule_read(const char *text, struct quota_rule *r);

/* Is R about all folders? */
bool quota_rule_is_all(const struct quota_rule *r);

/* Is it about FOLDER? */
bool quota_rule_covers(const struct quota_rule *r, const char *folder);

/* Does the tree have limits of its own? */
bool quota_rule_limits(const struct quota_rule *r);

#endif
