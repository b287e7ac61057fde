/*
 * What the files of sendmail share. One program with three names, sendmail,
 * mailq and newaliases; it runs with its caller's rights and no others.
 */
#ifndef PICKUP_SENDMAIL_H
#define PICKUP_SENDMAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "config/config.h"
#include "qmgr/admin.h"
#include "queue/envelope.h"

enum sendmail_mode {
	MODE_SEND,	/* -bm */
	MODE_SMTP,	/* -bs */
	MODE_LIST,	/* -bp, mailq */
	MODE_ALIASES,	/* -bi, newaliases */
	MODE_DAEMON,	/* -bd, -bl: starts the suite */
	MODE_FLUSH,	/* -q */
	MODE_FLUSH_ONE, /* -qIid */
	MODE_NOTHING	/* -bh, -bH, -qTIME: nothing to do, and fine */
};

struct sendmail_options {
	enum sendmail_mode mode;
	bool extract;	       /* -t */
	bool dots;	       /* a lone dot ends the message; not with -i */
	const char *config;    /* -C */
	const char *sender;    /* -f, -r; NULL: the caller */
	const char *name;      /* -F; NULL: the caller's */
	const char *body;      /* -B; "" if not given */
	const char *envid;     /* -V */
	const char *ret;       /* -R: "FULL", "HDRS", "" */
	const char *aliases;   /* -oA; NULL: alias_maps */
	const char *flush_id;  /* -qI */
	unsigned notify;       /* -N, or what -v asks for */
	const char *verp;      /* -XV: two delimiters; NULL: not asked for */
	char *const *argument; /* recipients */
	int narguments;
};

/* Parses the command line as Sendmail does. False: WHY has a line that says
 * what is wrong. NAME is the last part of argv[0]. */
bool sendmail_parse(struct sendmail_options *o, const char *name, int argc,
		    char *const *argv, struct buf *why);

/* One run of the program. */
struct sendmail {
	const struct sendmail_options *options;
	const struct config *config;
	struct arena *arena;
	const char *origin; /* myorigin */
};

/* Says "NAME: …" on standard error and gives STATUS (sysexits). */
int sendmail_fail(int status, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The completed, canonical form of an address in the arena, or NULL. The text
 * may be "Name <address>", too. */
const char *sendmail_address(const struct sendmail *s, const char *text);

/* The modes; each gives the exit status. */
int sendmail_send(struct sendmail *s);
int sendmail_smtp(struct sendmail *s);
int sendmail_list(struct sendmail *s);
int sendmail_aliases(struct sendmail *s);
int sendmail_flush(struct sendmail *s);

/* Calls EACH for every message in the drop folder, the oldest first: ERR_OK,
 * or ERR_DENIED if the caller may not look, or another error. */
int sendmail_list_drop(struct sendmail *s,
		       bool (*each)(void *context, const struct queue_item *m),
		       void *context);

/* The caller's address, by his login name. NULL if he has none. */
const char *sendmail_caller(const struct sendmail *s);

/* The caller's full name by -F, $NAME or the system; NULL if there is none. */
const char *sendmail_full_name(const struct sendmail *s);

/* Hands a complete posting over, to pickup or else into the drop folder.
 * EX_OK means that it is safe. REPLY gets what there is to say otherwise, in
 * SMTP's form. */
int sendmail_hand_over(const struct sendmail *s, int fd, struct buf *reply);

/* Hands one message over for each recipient of E, with a sender made of both
 * (-XV). The message is what FD holds behind AT; the sender is not null. Gives
 * the exit status. */
int sendmail_verp(const struct sendmail *s, const struct envelope *e, int fd,
		  off_t at);

/* The header of a message, as it was read. */
struct sendmail_header {
	const char *data;
	size_t n; /* whole lines, without the empty line */
};

/* The recipients that the header names (To, Cc, Bcc, or the Resent- ones if
 * there are any) added to E; false and WHY if one is no address. */
bool sendmail_extract(const struct sendmail *s, const struct sendmail_header *h,
		      struct strlist *out, struct buf *why);

/* Appends the header to OUT: without Bcc if the recipients were taken from
 * it, with a From if there was none. */
void sendmail_put_header(const struct sendmail *s,
			 const struct sendmail_header *h, const char *sender,
			 struct buf *out);

/* "Full Name <address>" as a From field's value, quoted or encoded as it
 * needs be (RFC 5322 section 3.4, RFC 2047). */
void sendmail_put_mailbox(struct buf *out, const char *name,
			  const char *address);

#endif
