/*
 * A lasting connection to one service, for programs that wait for answers.
 * It connects when first used, and again after the service was restarted.
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
 * before it answered (master keeps the socket open for the next process). So
 * use it for questions that may be asked twice, and ipc_client_once for those
 * that may not. ERR_TEMP if the service cannot be reached. */
int ipc_client_call(struct ipc_client *c, const struct ipc_out *q,
		    struct ipc_in *a, int64_t ms);

/* The same with one try only: after an error it is unknown whether the service
 * acted. */
int ipc_client_once(struct ipc_client *c, const struct ipc_out *q,
		    struct ipc_in *a, int64_t ms);

/* For event loops, which never wait: sends Q to SERVICE on a connection of its
 * own, and gives the socket, which becomes readable with the answer. -1, with a
 * cause: it cannot be asked now. */
int ipc_client_begin(const char *service, const struct ipc_out *q);

#endif
