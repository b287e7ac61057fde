/*
 * Waiting messages, ordered by the time of their next try: a heap.
 */
#ifndef QUEUE_MANAGER_WAIT_H
#define QUEUE_MANAGER_WAIT_H

#include <stddef.h>
#include <stdint.h>

#include "queue-manager/store.h"

struct wait_heap {
	struct slot **slot;
	size_t n, cap;
};

/* Puts SLOT in, to be tried at NEXT (a tick). */
void wait_add(struct wait_heap *h, struct slot *slot, uint32_t next);

/* Takes SLOT out, which must be in. */
void wait_remove(struct wait_heap *h, struct slot *slot);

/* The one that is due first, or NULL. It stays in. */
struct slot *wait_first(const struct wait_heap *h);

#endif
