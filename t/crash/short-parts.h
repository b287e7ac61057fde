/* Between the files of short stories. */
#ifndef T_CRASH_SHORT_PARTS_H
#define T_CRASH_SHORT_PARTS_H

#include "mailbox/mailbox.h"
#include "mailbox/store.h"
#include "remote-send/tls-policy-cache.h"
#include "t/crash/fact.h"
#include "t/crash/short.h"

#define USER "alice"

struct session {
	char *maildir;
	struct cache *policies; /* of other domains */
	struct store *s;
	struct mailbox *m; /* INBOX, open from the beginning to the end */
	char folder[WORD]; /* the other one; "" if there is none */
	char above[WORD];  /* the one with another below it */
	int record;	   /* -1: nobody is told anything */
	unsigned tokens, names;
};

/* Ends the story if CODE says that WHAT failed. */
void short_must(int code, const char *what);

/* The client is told it, or will ask for it. */
void short_tell(const struct session *x, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* What has changed in INBOX. */
void short_refresh(struct session *x);

/* What is in the message at SEQ. */
void short_token(struct mailbox *m, uint32_t seq, char token[WORD]);

/* APPEND of a message with FIELDS, whole lines, in its header. */
void short_append(struct session *x, const char *folder, const char *fields);

/* A policy of the domain D<NUMBER>.test comes, the ID-th of all. */
void short_policy(struct session *x, unsigned number, unsigned id);

/* The client opens the folder NAME. */
void short_look(const struct session *x, const char *name);

#endif
