/*
 * NOTIFY (RFC 5465): what the client wants to hear of, in the selected folder
 * and in others, at any time, until the next NOTIFY.
 *
 * The session keeps a row for each folder with what the client was told of it.
 * When the feed says that something has happened, the folder is looked at, and
 * what differs is told: so the feed's word is only a hint, and however much
 * happens while a client does not read, one line a folder is all that is due.
 * First the feed is asked, then all is compared, so nothing falls in between.
 * Without the feed the session looks for itself now and then.
 */
#ifndef IMAPD_NOTIFY_H
#define IMAPD_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "imapd/fetch.h"
#include "imapd/session.h"
#include "imapd/sources.h"
#include "mailbox/metadata.h"

enum notify_event {
	NOTIFY_NEW = 1 << 0,
	NOTIFY_EXPUNGE = 1 << 1,
	NOTIFY_FLAGS = 1 << 2,
	NOTIFY_NAME = 1 << 3,
	NOTIFY_SUBSCRIPTION = 1 << 4,
	NOTIFY_METADATA = 1 << 5,
	NOTIFY_SERVER_METADATA = 1 << 6
};

#define NOTIFY_MESSAGES (NOTIFY_NEW | NOTIFY_EXPUNGE | NOTIFY_FLAGS)

struct notify_group {
	struct sources in;
	unsigned events; /* 0: of these folders none, whatever others say */
};

struct notify_row {
	char *name;
	bool exists; /* else it is only a level, or subscribed */
	bool subscribed;
	bool watched; /* the feed tells of it */
	bool due;     /* to be looked at */
	bool due_metadata;
	struct folder_id id;
	unsigned events;	  /* of enum notify_event: wanted */
	struct store_status told; /* as the client knows it */
	const char *use;	  /* special use, or NULL */
};

struct notify {
	struct arena *arena; /* of the command that made it */
	const char *said;    /* that command, without its tag */
	unsigned serial;     /* the how many-th it is */
	struct notify_group *group;
	size_t n;
	unsigned selected; /* events wanted of the selected folder */
	bool delayed;	   /* EXPUNGE waits for a command */
	struct fetch *fetch; /* of its new messages, or NULL */
	struct notify_row *row;
	size_t nrows;
	bool account;	  /* its annotations are wanted */
	bool account_due; /* … to be looked at */
	struct folder_id selected_id;
	bool selected_watched; /* beside the rows */
	bool names_due;
	bool selected_due;
	bool fed; /* the feed tells of all of this */
	int64_t look_at;
};

/* Takes N, which cmd_notify made, for what holds from now on. A code; ERR_LIMIT
 * if these are too many folders: then what was before holds. STATUS: the
 * client is told how things are. */
int notify_begin(struct session *s, struct notify *n, bool status);
void notify_free(struct notify **n);

/* Are EVENTS of the selected folder wanted? All are before the first NOTIFY. */
bool notify_wants(const struct session *s, unsigned events);

/* What is to be fetched of its new messages, or NULL. */
const struct fetch *notify_fetch(const struct session *s);

/* A folder was selected, or is about to be deselected. */
void notify_selected(struct session *s);
void notify_deselected(struct session *s);

/* How long a session may wait: milliseconds, -1: no matter. */
int notify_ms(const struct session *s);

/* Which descriptor says that there is something to look at, or -1. */
int notify_fd(const struct session *s);

/* Looks, and tells. IDLE: a command runs that lets EXPUNGE come. */
void notify_look(struct session *s, bool idle);

/* This session made, removed or subscribed the folder FROM, or renamed it TO
 * (else NULL), or changed annotations of a folder or (NAME is "") the account:
 * others are told, this client is not. */
void notify_own_names(struct session *s, const char *from, const char *to);
void notify_own_metadata(struct session *s, const char *name,
			 const struct metadata *changes);

/* The rest is between notify.c and notify-names.c.
 *
 * Makes or renews the rows. The client is told of differences unless FIRST is
 * set; not of what this session has done: made FROM, or renamed it TO (or NULL). */
int notify_names(struct session *s, struct notify *n, bool first,
		 const char *from, const char *to);
void notify_row_free(struct notify_row *r);

/* The row R is new: asks the feed for it, if messages or annotations are
 * wanted. */
void notify_watch(struct session *s, struct notify *n, struct notify_row *r);

#endif
