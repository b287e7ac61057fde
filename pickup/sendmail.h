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
#include "base/err.h"
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
	MODE_NOTHING	/* -bh, -bH, -qTIME: nothing to do */
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

/* Prints "NAME: …" on standard error and gives STATUS (sysexits). */
int sendmail_fail(int status, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Does TEXT, an argument, have a line end or another control character? It
 * was put together wrongly, and may name somebody whom nobody meant. */
bool sendmail_has_control(const char *text);

/* The completed, canonical form of an address in the arena, or NULL. The text
 * may also be "Name <address>". */
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

/* The caller's address, from the login name; NULL if there is none. */
const char *sendmail_caller(const struct sendmail *s);

/* The caller's full name from -F, $NAME or the system, or NULL. */
const char *sendmail_full_name(const struct sendmail *s);

/* Hands over a complete posting, to pickup or else to the drop folder. EX_OK
 * means that it is safe. Otherwise REPLY gets the reason, as an SMTP reply. */
int sendmail_hand_over(const struct sendmail *s, int fd, struct buf *reply)
	MUST_CHECK;

/* Hands over one message for each recipient of E, with a sender made of both
 * (-XV). The message is the content of FD after AT; the sender is not null.
 * Gives the exit status. */
int sendmail_verp(const struct sendmail *s, const struct envelope *e, int fd,
		  off_t at);

/* The header of a message, as it was read. */
struct sendmail_header {
	const char *data;
	size_t n; /* whole lines, without the empty line */
};

/* Adds the recipients in the header (To, Cc, Bcc, or the Resent- ones if there
 * are any) to E; false and WHY if one is not an address. */
bool sendmail_extract(const struct sendmail *s, const struct sendmail_header *h,
		      struct strlist *out, struct buf *why);

/* Appends the header to OUT: without Bcc if the recipients were taken from
 * it, with a From if there was none. */
void sendmail_put_header(const struct sendmail *s,
			 const struct sendmail_header *h, const char *sender,
			 struct buf *out);

/* "Full Name <address>" as a From field's value, quoted or encoded as needed
 * (RFC 5322 section 3.4, RFC 2047). */
void sendmail_put_mailbox(struct buf *out, const char *name,
			  const char *address);

#endif
