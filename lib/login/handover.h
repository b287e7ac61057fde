/*
 * The packet by which accountd gives a connection to a session: `session`
 * in posthorn-protocol(7). Taking it makes the process the user.
 */
#ifndef LOGIN_HANDOVER_H
#define LOGIN_HANDOVER_H

#include <stdbool.h>

#include "base/buf.h"
#include "ipc/ipc.h"
#include "mailbox/store.h"

struct handover {
	struct ipc_in packet; /* holds the strings */
	const char *user;
	const char *maildir;
	const char *client;
	const char *tag; /* of IMAP's command, or "" */
	bool tls;
	struct buf pending; /* input that was read ahead */
	int fd;		    /* the connection */
	struct store *store;
	int store_code; /* why STORE is not there */
};

/* Receives the packet from SOCK, confirms it, becomes the user for good,
 * opens the user's Maildir and gives up all else. False: nothing came that
 * could be served, and the process is as it was. */
bool handover_take(int sock, struct handover *h);
void handover_free(struct handover *h);

#endif
