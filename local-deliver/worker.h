/*
 * Workers: processes that have become one user and deliver into that user's
 * mailbox. If the kernel has Landlock, a worker can only reach that user's
 * home and mail directory; it never serves another user. It stays for some
 * seconds after a delivery, so that a burst of mail, or a busy user, does not
 * cost a process for each message.
 *
 * Between child and worker, packets of lib/ipc on a socket pair:
 *     deliver maildir prologue offset length queue-id recipient arrival
 *         forward extension quota quota-messages grace levels origin + fd
 *     room maildir forward extension quota quota-messages grace
 *     → delivered folder uid duplicate room | failed code errno room
 *         | forward targets | room room
 * Answers come in the order of the requests.
 */
#ifndef LOCAL_DELIVER_WORKER_H
#define LOCAL_DELIVER_WORKER_H

#include <sys/queue.h>

#include "client/account.h"
#include "local-deliver/local.h"
#include "mailbox/deliver.h"
#include "table/aliases.h"

struct worker_request {
	bool measure; /* nothing is delivered: what is there room for? */
	struct delivery delivery;
	bool forward;	       /* look for .forward first, … */
	const char *home;      /* … there, … */
	const char *extension; /* … with this suffix */
	struct quota quota;    /* what the mailbox may hold … */
	int grace;	       /* … and so much more, in percent */
	const char *levels;    /* thresholds for warnings, in percent */
	const char *origin;    /* the domain of their sender */
};

enum worker_answer {
	WORKER_DELIVERED,
	WORKER_FORWARD, /* there is a .forward: nothing was delivered */
	WORKER_ROOM,
	WORKER_FAILED
};

struct worker_reply {
	enum worker_answer answer;
	int64_t room; /* bytes that still fit; INT64_MAX: no limit, or it is
		       * not known */
	struct delivered delivered;
	int err;		     /* WORKER_FAILED: of base/err.h */
	char *why;		     /* WORKER_FAILED: in the arena, or NULL */
	struct alias_target *target; /* WORKER_FORWARD: in the arena */
	size_t ntargets;
};

/* A request and its answer. The caller fills in the first three; the call and
 * all that they point to must stay in place until the answer is there. */
struct worker_call {
	struct arena *arena; /* of the answer */
	struct account account;
	struct worker_request request;
	struct worker_reply reply;
	bool answered;
	int tries;
	struct worker *worker; /* which has it, or NULL */
	TAILQ_ENTRY(worker_call) link;
};

/* Hands C to the user's worker, which is made if there is none. Requests that
 * wait together are done together. */
void worker_ask(struct worker_call *c);

/* Waits for the answer to C. */
void worker_wait(struct worker_call *c);

struct watched;

/* Runs a worker process on its end of the socket pair; it gives its signs of
 * life to ME. */
void worker_main(int sock, const struct account *account, struct watched *me)
	__attribute__((noreturn));

/* Verb and attributes as above. */
void worker_put_request(struct ipc_out *m, const struct worker_request *q);

#define WORKER_FORWARD_MAX 65536 /* bytes of a .forward */
#define WORKER_BATCH 16		 /* requests that are done together */

#endif
