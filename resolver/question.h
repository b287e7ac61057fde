/*
 * Open questions. The same question from several peers is asked once; a CNAME
 * that leads out of an answer is followed with a separate question. Each ends
 * within QUESTION_MS, with an answer or with `temp`.
 */
#ifndef RESOLVER_QUESTION_H
#define RESOLVER_QUESTION_H

#include <event2/event.h>
#include <stddef.h>
#include <sys/queue.h>
#include <unbound.h>

#include "base/map.h"
#include "ipc/ipc.h"

#define QUESTION_MS 10000
#define QUESTIONS_MAX 4096

struct asker {
	struct event_base *base;
	struct ub_ctx *ctx;
	struct map *under_way; /* "type name" to struct question */
	struct ipc_out packet; /* the answer being built */
};

/* Waits for an answer. `answered` is called once with the packet; the waiter is
 * then no longer in any list. */
struct waiter {
	LIST_ENTRY(waiter) next;
	void (*answered)(struct waiter *w, struct ipc_out *packet);
};

/* Asks for NAME, TYPE on behalf of W; may answer before it returns. */
void question_ask(struct asker *a, const char *name, const char *type,
		  struct waiter *w);

/* W no longer waits. The question goes on, for the cache. */
void question_forget(struct waiter *w);

#endif
