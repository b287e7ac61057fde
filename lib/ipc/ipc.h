/*
 * Messages between our programs: one packet of a Unix SOCK_SEQPACKET socket
 * is one message, a verb and attributes `name=value`, each ended by a NUL,
 * with descriptors attached. Values are bytes without NUL; binary data goes
 * in base64. A name may come several times; order is kept. Every protocol
 * is described in posthorn-protocol(7).
 *
 * A peer is never trusted: packets are bounded, names and values checked,
 * every call has a deadline. A packet that does not parse is ERR_SYNTAX, and
 * the caller then closes that connection.
 */
#ifndef IPC_IPC_H
#define IPC_IPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

#define IPC_PACKET_MAX 131072	/* bytes of one packet */
#define IPC_ATTRS_MAX 2048	/* attributes in one packet */
#define IPC_FDS_MAX 16		/* descriptors in one packet */

/* A message to send. It can be reused freely: ipc_begin starts it afresh. */
struct ipc_out {
	struct buf data;
	int fd[IPC_FDS_MAX];
	int nfds;
	unsigned owned;	/* which of fd the message closes, by bit */
	bool ready;	/* data is initialised */
};

/* A message received. Strings point into it and live until ipc_in_reset.
 * Zero it first; it can be used for any number of messages. */
struct ipc_in {
	char *data;
	size_t cap_data;
	size_t len;
	const char *verb;
	struct ipc_attr {
		const char *name;
		const char *value;
	} *attr;
	size_t cap_attrs;
	size_t nattrs;
	int fd[IPC_FDS_MAX];
	int nfds;
	int nfds_taken;
};

/* Building. The caller keeps its descriptors: the kernel copies them. */
void ipc_begin(struct ipc_out *m, const char *verb);
void ipc_put(struct ipc_out *m, const char *name, const char *value);
void ipc_put_span(struct ipc_out *m, const char *name, const char *value,
		  size_t n);
void ipc_put_int(struct ipc_out *m, const char *name, int64_t value);
void ipc_put_base64(struct ipc_out *m, const char *name, const void *data,
		    size_t n);
void ipc_put_fd(struct ipc_out *m, int fd);
/* The same, but M owns FD: it is closed when M is begun again or freed. */
void ipc_put_own_fd(struct ipc_out *m, int fd);
void ipc_out_free(struct ipc_out *m);

/* Sends M, waiting at most MS milliseconds (0: not at all, ERR_BUSY).
 * ERR_TOO_LONG if it does not fit a packet, ERR_EOF if the peer is gone. */
int ipc_send(int sock, const struct ipc_out *m, int64_t ms);

/* Receives into M, which is reset first. Waits at most MS milliseconds;
 * with 0 not at all: ERR_BUSY if nothing is there. ERR_EOF if the peer
 * closed. Descriptors come with FD_CLOEXEC. */
int ipc_recv(int sock, struct ipc_in *m, int64_t ms);

/* From now on the peer can send nothing more: it gets an error, and asks
 * another process. Gives whether a packet that it sent before is still unread:
 * then SOCK must not be closed yet. Without this call, closing SOCK might lose
 * such a packet. */
bool ipc_end_input(int sock);

/* Closes descriptors that were not taken and forgets the content. */
void ipc_in_reset(struct ipc_in *m);
void ipc_in_free(struct ipc_in *m);

/* Reading. The first value of NAME, or NULL. */
const char *ipc_get(const struct ipc_in *m, const char *name);
/* The value, or an empty string. */
const char *ipc_text(const struct ipc_in *m, const char *name);
/* A whole number within the range; false if missing or wrong. */
bool ipc_int(const struct ipc_in *m, const char *name, int64_t min,
	     int64_t max, int64_t *value);
/* Decodes base64 into B (appended); false if missing or wrong. */
bool ipc_base64(const struct ipc_in *m, const char *name, struct buf *b);
bool ipc_is(const struct ipc_in *m, const char *verb);
/* The next descriptor, which the caller then owns, or -1. */
int ipc_take_fd(struct ipc_in *m);

/* Asks and waits for the answer: ipc_send and ipc_recv within MS in all. */
int ipc_call(int sock, const struct ipc_out *q, struct ipc_in *a, int64_t ms);

/* Where the private sockets are: set once by lib/service before and after
 * chroot. The default is ".". */
void ipc_set_dir(const char *dir);

/* A connection to the service NAME in that folder (or to an absolute path),
 * close-on-exec; -1 with errno: EAGAIN if the service had no room for another
 * connection for MS milliseconds (0: at this moment). */
int ipc_connect_within(const char *name, int64_t ms);

/* The same for programs that wait for answers: ten seconds. */
int ipc_connect(const char *name);

/* The same for event loops, which never wait: 0. After EAGAIN the loop tries
 * again with a timer: the kernel does not say when there is room. */
int ipc_connect_now(const char *name);

/* A listening socket at PATH with MODE; -1 with errno. Replaces an old one. */
int ipc_listen(const char *path, mode_t mode, int backlog);

/* Accepts a connection whose peer's uid is root, our own effective uid, or
 * one of UIDS[N]; others are closed and logged, and the result is -1 with
 * EACCES. *UID (may be NULL) gets the peer's uid. */
int ipc_accept(int listener, const uid_t *uids, size_t n, uid_t *uid);

/* Accepts anybody, for the sockets in the public folder: what the peer may ask
 * then depends on its uid, in *UID. */
int ipc_accept_any(int listener, uid_t *uid);

#endif
