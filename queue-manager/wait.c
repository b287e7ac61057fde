#include "queue-manager/wait.h"

#include "base/mem.h"

static void place(struct wait_heap *h, size_t i, struct slot *slot)
{
	h->slot[i] = slot;
	slot->heap = (uint32_t)i;
}

static void rise(struct wait_heap *h, size_t i, struct slot *slot)
{
	while (i > 0 && h->slot[(i - 1) / 2]->next > slot->next) {
		place(h, i, h->slot[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	place(h, i, slot);
}

static void sink(struct wait_heap *h, size_t i, struct slot *slot)
{
	for (;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < h->n &&
		    h->slot[child + 1]->next < h->slot[child]->next)
			child++;
		if (child >= h->n || h->slot[child]->next >= slot->next)
			break;
		place(h, i, h->slot[child]);
		i = child;
	}
	place(h, i, slot);
}

void wait_add(struct wait_heap *h, struct slot *slot, uint32_t next)
{
	if (h->n == h->cap) {
		h->cap = h->cap ? h->cap * 2 : 256;
		h->slot = mem_resize(h->slot, h->cap, sizeof(*h->slot));
	}
	slot->next = next;
	rise(h, h->n++, slot);
}

void wait_remove(struct wait_heap *h, struct slot *slot)
{
	size_t i = slot->heap;
	struct slot *last = h->slot[--h->n];

	if (last == slot)
		return;
	if (last->next < slot->next)
		rise(h, i, last);
	else
		sink(h, i, last);
}

struct slot *wait_first(const struct wait_heap *h)
{
	return h->n ? h->slot[0] : NULL;
}
