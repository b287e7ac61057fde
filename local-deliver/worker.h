/*
 * Workers: processes that have become one user and deliver into his
 * mailbox. A worker can reach that user's home and mail directory and
 * nothing else, where the kernel has Landlock; it serves nobody else, ever. It
 * lives on for some seconds after a delivery, so that a burst of mail, or a
 * busy user, costs no process each.
 *
 * Between child and worker, packets of lib/ipc on a socket pair:
 *     deliver maildir prologue offset length queue-id recipient arrival
 *         forward extension + fd
 *     → delivered dev ino duplicate | failed code errno | forward targets
 */
#ifndef LOCAL_DELIVER_WORKER_H
#define LOCAL_DELIVER_WORKER_H

#include "client/account.h"
#include "local-deliver/local.h"
#include "mailbox/deliver.h"
#include "table/aliases.h"

struct worker_request {
	const struct account *account;
	struct delivery delivery;
	bool forward; /* look for .forward first */
};

enum worker_answer {
	WORKER_DELIVERED,
	WORKER_FORWARD, /* there is a .forward: nothing was delivered */
	WORKER_FAILED
};

struct worker_reply {
	enum worker_answer answer;
	struct delivered delivered;
	int err;		     /* WORKER_FAILED: of base/err.h */
	char *why;		     /* WORKER_FAILED: in the arena, or NULL */
	struct alias_target *target; /* WORKER_FORWARD: in the arena */
	size_t ntargets;
};

/* Has it done by the user's worker, which is made if there is none. */
void worker_deliver(struct arena *a, const struct worker_request *q,
		    struct worker_reply *reply);

/* The life of a worker process on its end of the socket pair. */
void worker_main(int sock, const struct account *account)
	__attribute__((noreturn));

/* Verb and attributes as above. */
void worker_put_request(struct ipc_out *m, const struct worker_request *q);

#define WORKER_FORWARD_MAX 65536 /* bytes of a .forward */

#endif
