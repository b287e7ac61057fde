/*
 * What clients were told: the facts of the record, each one line of words.
 *
 *     mail TOKEN LINES SENDER RCPT    will be sent, or appended
 *     promised TOKEN                  250 for it, or OK to APPEND
 *     sunk TOKEN                      the next host has it
 *     erasing TOKEN USER              a client will remove it for good
 *     copying TOKEN USER              a client will copy or move it
 *     have USER FOLDER VALIDITY UID TOKEN
 *     leaving USER FOLDER UID         a client will expunge or move it
 *     gone USER FOLDER UID            that was answered with OK
 *     flagging USER FOLDER UID        a client will change its flags
 *     flags USER FOLDER UID BITS      they are these (enum mailbox_flag)
 *     identified USER FOLDER UID ID   its EMAILID
 *     numbers USER FOLDER VALIDITY UIDNEXT HIGHESTMODSEQ, or higher ones;
 *                                     VALIDITY 0: it is there, no more
 *     annotating USER FOLDER WORD     a client will set its comment, which
 *                                     begins with the word; FOLDER -: the
 *                                     account's
 *     annotated USER FOLDER WORD
 *     granting USER FOLDER RIGHTS     a client will give them to anyone; -:
 *                                     none
 *     granted USER FOLDER RIGHTS
 *     subscribing USER FOLDER yes     a client will subscribe to it; -: will
 *     subscribed USER FOLDER yes      so no longer
 *     using USER FOLDER USE           a client will make it, for that use
 *     used USER FOLDER USE
 *     warning USER - LEVEL            it will be noted that the user was warned
 *     warned USER - LEVEL             that the mailbox is nearly full
 *     fetching tls-policy DOMAIN ID   the domain's policy will be kept
 *     fetched tls-policy DOMAIN ID
 *     renaming USER FOLDER TO         a client will rename a folder
 *     renamed USER FOLDER TO
 *     deleting USER FOLDER            or delete it with its messages
 *     deleted USER FOLDER
 *
 * A message of token T and N lines has the field "X-Crash: T N" and the body
 * of fact_body: so it is seen of each message alone whether it is whole.
 */
#ifndef T_CRASH_FACT_H
#define T_CRASH_FACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define WORD 64
#define NONE "-"

/* A keyword, and its bit in BITS. */
#define KEYWORD "Work"
#define KEYWORD_BIT 256

struct mail {
	char token[WORD], sender[WORD], rcpt[WORD];
	unsigned lines;
	bool promised, sunk, erased;
	unsigned copies; /* at most */
	/* found in the state at hand */
	unsigned found;
	bool pending, bounced;
};

struct place {
	char user[WORD], folder[WORD], token[WORD];
	char other[WORD]; /* what its folder may be called as well, or "" */
	char id[WORD];	  /* EMAILID, if a client was told */
	uint32_t validity, uid;
	bool leaving, gone, flags_known;
	unsigned flags;
	bool seen; /* in the state at hand */
};

/* What clients set in a folder. */
enum {
	SET_COMMENT,
	SET_RIGHTS,
	SET_SUBSCRIBED,
	SET_USE,
	SET_WARNED,
	SET_POLICY,
	SETTINGS
};

struct setting {
	char now[WORD], next[WORD]; /* either; "" if it was never set */
};

struct numbers {
	char user[WORD], folder[WORD], other[WORD];
	uint32_t validity, uidnext;
	uint64_t modseq;
	struct setting setting[SETTINGS];
	bool leaving, gone;
	bool seen;
};

struct facts {
	struct mail *mail;
	struct place *place;
	struct numbers *numbers;
	size_t nmails, nplaces, nnumbers;
};

/* Adds LINE of N bytes; false if it is none. */
bool fact_add(struct facts *f, const char *line, size_t n);
void facts_free(struct facts *f);

/* The mail of TOKEN to RCPT (NULL: any), or NULL. */
struct mail *fact_mail(struct facts *f, const char *token, const char *rcpt);

/* Is a message found more often than clients made copies of it? */
bool facts_twice(const struct facts *f);

/* Appends the body of a message. */
void fact_body(struct buf *b, const char *token, unsigned lines);

/* Reads the token of TEXT, a message. False if the message has none. *WHOLE:
 * it is as it was sent. */
bool fact_token(const char *text, size_t n, char token[WORD], bool *whole);

#endif
