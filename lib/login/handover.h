/*
 * The packet with which accountd gives a connection to a session: `session`
 * in posthorn-protocol(7). A process that takes it becomes the user.
 */
#ifndef LOGIN_HANDOVER_H
#define LOGIN_HANDOVER_H

#include <stdbool.h>

#include "base/buf.h"
#include "client/feed.h"
#include "client/quota.h"
#include "client/seal.h"
#include "ipc/ipc.h"
#include "mailbox/store.h"

struct handover {
	int accountd;	      /* where it came, and the next one may */
	int uses;	      /* which one it is for this process */
	struct ipc_in packet; /* holds the strings */
	const char *user;
	const char *maildir;
	const char *visitor; /* who comes in the user's stead, or NULL */
	const char *seal;    /* client/share.h; "" if there is none */
	const char *client;
	const char *tag; /* of the IMAP command, or "" */
	bool tls;
	struct quota quota;
	struct buf pending; /* input that was read ahead */
	const char *facts;  /* of the ticket, in base64; NULL without one */
	struct seal key;    /* likewise */
	bool resumes;	    /* a session that was parked, … */
	struct buf state;   /* … with this */
	int fd;		    /* the connection; the session closes it */
	struct store *store; /* so it does this */
	int store_code; /* why STORE is not there */
};

/* Receives the packet from SOCK, confirms it, becomes the user irrevocably,
 * opens the user's Maildir and gives up all else but the feed. FEED is told
 * whose session this is if COUNTED: those that are parked there count, too.
 * False: nothing came that could be served, and the process is still as it
 * was. */
bool handover_take(int sock, struct feed *feed, bool counted,
		   struct handover *h);

/* The session of H is over, and its connection and its store are closed: waits
 * whether accountd has another one of the same user, from the same address,
 * which H then is. False: no more for this process. */
bool handover_again(struct handover *h);

/* In any case, at the end. */
void handover_free(struct handover *h);

#endif
