/*
 * A standing connection to one service, for programs that wait for answers.
 * It connects when first used, and again when the service was restarted.
 */
#ifndef IPC_CLIENT_H
#define IPC_CLIENT_H

#include "ipc/ipc.h"

struct ipc_client {
	const char *service;	/* name of the socket; a constant string */
	int sock;		/* -1 when not connected */
	int stop; /* readable: a call ends with ERR_STOPPING; -1: none */
};

#define IPC_CLIENT(name) { (name), -1, -1 }

/* Sends Q and receives the answer in A, within MS milliseconds in all. Tries
 * up to twice more, each time on a fresh connection, if the service ended
 * before an answer came (master's socket is still there, and waits with us for
 * the next process); so use it for questions that may be asked twice, and ipc_client_once for
 * those that may not. ERR_TEMP if the service cannot be reached. */
int ipc_client_call(struct ipc_client *c, const struct ipc_out *q,
		    struct ipc_in *a, int64_t ms);

/* The same with one try only: after an error nobody knows whether the
 * service acted. */
int ipc_client_once(struct ipc_client *c, const struct ipc_out *q,
		    struct ipc_in *a, int64_t ms);

#endif
