/*
 * After the login: one user's session. The process has become the user, can
 * only reach the user's Maildir, and serves nobody else.
 */
#ifndef IMAPD_SESSION_H
#define IMAPD_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "client/account.h"
#include "client/decoder.h"
#include "client/feed.h"
#include "client/share.h"
#include "imapd/conn.h"
#include "mailbox/mailbox.h"
#include "mailbox/store.h"

struct command;
struct context;
struct others;
struct notify;
struct metadata;
struct metadata_watch;

/* A folder's id (RFC 8474), by its UIDVALIDITY, which no other folder of this
 * user ever had, and which a renamed folder keeps. */
#define MAILBOXID "(f%u)"

/* Before the names of folders that are not the client's own: namespace.h. */
#define NAMESPACE_PREFIX_SIZE (sizeof("Other Users//") + ACCOUNT_USER_SIZE)

#define FOLDER_NAME_SIZE 1024 /* a folder's name, in either form */

/* What a client is told when the suite stops. */
#define SESSION_STOPS "* BYE Server is shutting down\r\n"
#define SESSION_REFUSED "* BYE [UNAVAILABLE] The account has changed: log in again\r\n"

#define SIGN_MS 50 /* for signatures, at a time */

/* Cache of the latest message read whole: clients fetch large parts piece by
 * piece. */
struct session_text {
	struct buf text;
	uint32_t uid;	    /* 0: none */
	struct buf decoded; /* one of its parts … */
	uint32_t decoded_uid;
	size_t decoded_at; /* … whose body begins here */
};

/* The messages of "$" (RFC 5182), by UID, ascending. */
struct session_saved {
	uint32_t *uid;
	size_t n;
};

struct session {
	struct conn c;
	struct store *store;
	struct mailbox *box;	     /* selected, or NULL */
	char name[FOLDER_NAME_SIZE]; /* with which it was selected */
	bool read_only;
	struct feed *feed;
	const struct command *command; /* the current one */
	bool by_uid;		       /* it was prefixed with UID */
	bool ended;
	bool compressed;
	bool lost;	/* `box` does not match the folder any more: see
			    * reopen.h */
	bool unsettled; /* flags changed since the last idle moment */
	const char *dead; /* "deleted", "rebuilt": while the session was parked
			   * the folder that the client has selected, which
			   * is not open */
	const char *lost_why; /* for good: "deleted", "rebuilt" */
	unsigned enabled;     /* of enum enabled: see enabled.h */
	uint64_t modseq;      /* HIGHESTMODSEQ as the client knows it */
	bool modseq_due;      /* it is told that with the next reply */
	bool by_number;	      /* the current command names numbers, though it is
			    * by UID: they must hold */
	bool removed;	      /* … has removed messages, as is told in any case */
	uint64_t flags_since; /* changes of flags above this mod-sequence were
			       * not told; 0: all were */
	uint32_t own_first;   /* UIDs that this session has added to the */
	uint32_t own_last;    /* selected folder, and not yet told of */
	unsigned keywords;    /* told to the client */
	uint32_t told;	      /* EXISTS as the client knows it */
	uint32_t told_recent;
	const char *supplied; /* the folder's name as the client sent it, if
			       * that was not in normal form; else NULL */
	struct session_text body;
	struct session_saved saved;
	struct context *contexts;
	struct notify *notify; /* NULL before the first NOTIFY */
	struct buf out;	  /* a response while it grows */
	bool flushed;	  /* a part of it was sent */
	struct buf flags; /* of the latest message, formatted */
	struct mailbox_message flags_of;
	int64_t message_max; /* largest message accepted, never 0 */
	uint32_t signed_from; /* folders with as many messages get signatures,
			       * if they are searched; 0: none do */
	bool uidonly; /* is announced (RFC 9586) */
	struct quota quota;
	struct metadata_watch *watch; /* metadata-watch.h; or NULL */
	const struct metadata *server; /* entries that all may read, or NULL */
	char user[ACCOUNT_USER_SIZE];
	const char *public_user; /* whose folders are public, or NULL */
	unsigned rights;     /* in the selected folder: rights.h */
	const char *visitor; /* whom this session serves in the user's stead,
			      * or NULL: see others.h */
	char prefix
		[NAMESPACE_PREFIX_SIZE]; /* of the names that a visitor knows */
	struct strlist visitor_subscribed;
	struct share share;    /* what accountd is asked with */
	struct others *others; /* sessions of other users, or NULL */
	int64_t park_ms;   /* silence after which it is parked (park.h); -1:
			    * it is not */
	int64_t park_failed_ms; /* when it last could not be parked */
	const char *facts; /* of its ticket, or NULL */
	struct seal key;   /* likewise */
	bool parked;	   /* it is over only for this process */
};

struct session_rules {
	int64_t message_max; /* 0: no limit but that of IMAP's numbers */
	uint32_t signed_from; /* as in the session */
	const struct strlist *create;	 /* see mailbox/autocreate.h */
	const struct strlist *subscribe;
	const struct metadata *server; /* as in the session */
	const char *accountd; /* the path of its public socket */
	struct decoders decoders; /* for text of attachments */
	const char *public_user; /* as in the session */
	int64_t park_ms; /* as in the session */
	bool uidonly; /* likewise */
};

/* Serves the session that accountd sends over SOCK (closed here), and further
 * ones of its user as long as accountd wants that. The process has then become
 * the user and can serve no other. */
void session_serve(int sock, const struct session_rules *rules);

/* Tells the client of changes, then gives the tagged reply. */
void session_reply(struct session *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* What a client is told about the mailbox error CODE: a response code and a
 * sentence, without NO. The log gets the cause. */
const char *session_failure(struct session *s, int code);

/* The tagged NO with it. */
void session_fail(struct session *s, int code);

/* An idle moment in the selected folder: flags go into file names, and the like.
 * s->unsettled then says whether there is more. */
void session_settle(struct session *s);

/* Deselects without telling the client. */
void session_deselect(struct session *s);

/* This session has added messages FIRST to LAST to the folder ID: tells the
 * feed. */
void session_added(struct session *s, struct folder_id id, uint32_t first,
		   uint32_t last);

/* Tells the feed that WHAT, of enum feed_what, happened in the selected
 * folder. */
void session_changed(struct session *s, unsigned what);

/* The argument as a folder name in UTF-8, into FOLDER_NAME_SIZE bytes.
 * False, and the client is told, if it is not one. */
bool session_name(struct session *s, const struct arg *a, char *name);

/* The same of TEXT in UTF-8, or if it is NULL of the selected folder. The
 * client is told nothing. */
bool session_name_of(struct session *s, const char *text, char *name);

/* Folder NAME as clients of S know it, into FOLDER_NAME_SIZE bytes: in UTF-8 or
 * modified UTF-7. False: it has no such form. */
bool session_wire_name(const struct session *s, const char *name, char *wire);

/* The same in UTF-8: NAME itself, or in a visit with what comes before it. */
bool session_full_name(const struct session *s, const char *name, char *full);

/* All folders that the client may see: store_list. */
int session_list(struct session *s, struct store_list *l);

/* The row of NAME alone, without its name: store_folder. */
int session_folder(struct session *s, const char *name,
		   struct store_folder *f);

/* Appends a folder name as it is sent. */
void session_put_name(const struct session *s, struct buf *out,
		      const char *name);

#endif
