/*
 * The ticket of an IMAP session: with it a session can come back that was put
 * aside while its client was idle. It consists of facts, which accountd found
 * at the login and gives to the session beside the connection, and of a key,
 * which is the seal of these facts and of this connection. The session puts
 * itself aside as a packet `resume` (posthorn-protocol(7)): the facts, its
 * state, and the state's seal by that key. The program that holds this has
 * never seen the key: it can give back what it got, on the connection with
 * which it came, and nothing else.
 *
 * A seal does not say that the facts still hold: the user is looked up again, and
 * a seal of the password's hash is among the facts, which tells whether the
 * password was changed. (Of system users, whom PAM checks, nothing is known.)
 */
#ifndef ACCOUNTD_TICKET_H
#define ACCOUNTD_TICKET_H

#include <stdbool.h>

#include "base/buf.h"
#include "client/account.h"
#include "client/seal.h"
#include "ipc/ipc.h"

/* A session that comes back. */
struct ticket {
	struct account account;
	char client[64];
	bool tls;
	struct buf state; /* as the session put it */
	bool knows_password; /* former versions did not put it down */
	struct seal password; /* of its hash */
};

/* Puts the attributes `facts` and `key` into M, for the connection FD. False:
 * this is not possible, and the session will stay where it is. */
bool ticket_put(struct ipc_out *m, int fd, const struct account *a,
		const char *client, bool tls);

/* Reads the packet M, which came with the connection FD. False, and *WHY, if
 * it is not a session's whole and own for this connection. The caller frees
 * T in any case. */
bool ticket_take(const struct ipc_in *m, int fd, struct ticket *t,
		 const char **why);
void ticket_free(struct ticket *t);

/* Does T still hold, now that the user was looked up, with *NOW and HASH? Else
 * *WHY. */
bool ticket_holds(const struct ticket *t, const struct account *now,
		  const char *hash, const char **why);

#endif
