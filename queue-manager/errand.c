#include "queue-manager/errand.h"

#include "base/mem.h"
#include "base/str.h"
#include "log/log.h"
#include "queue-manager/keeper.h"
#include "queue-manager/pool.h"
#include "queue/id.h"

static const struct {
	const char *verb;
	enum slot_state state;
} errands[ERRANDS] = {
	[ERRAND_REMOVE] = { "remove", SLOT_REMOVE },
	[ERRAND_ASIDE] = { "corrupt", SLOT_ASIDE },
	[ERRAND_LOOK] = { "look", SLOT_LOOK },
};

static void note(struct errand_list *l, uint32_t number)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 64;
		l->number = mem_resize(l->number, l->cap, sizeof(*l->number));
	}
	l->number[l->n++] = number;
}

static void give(struct qmgr *q, struct slot *slot, enum errand errand)
{
	slot_close(slot);
	store_set_state(&q->store, slot, errands[errand].state);
	note(&q->errands[errand], slot->number);
}

void errand_remove(struct qmgr *q, struct slot *slot)
{
	give(q, slot, ERRAND_REMOVE);
}

void errand_look(struct qmgr *q, struct slot *slot)
{
	give(q, slot, ERRAND_LOOK);
}

void errand_put_aside(struct qmgr *q, struct slot *slot, const char *id,
		      const char *why)
{
	char path[QUEUE_PATH_SIZE];

	queue_slot_path(path, slot->number);
	log_error("%s: %s%sdamaged on disk: %s", path, id, *id ? ": " : "",
		  why);
	give(q, slot, ERRAND_ASIDE);
}

/* If keeper takes no packet now, the rest waits for the next time. */
static void tell(struct qmgr *q, enum errand errand)
{
	struct errand_list *l = &q->errands[errand];

	while (l->n) {
		size_t n = l->n < KEEPER_BATCH ? l->n : KEEPER_BATCH;

		ipc_begin(&q->keeper_out, errands[errand].verb);
		for (size_t i = 0; i < n; i++)
			ipc_put_int(&q->keeper_out, "slot",
				    l->number[l->n - 1 - i]);
		if (!pool_ask(q))
			return;
		l->n -= n;
	}
}

void errand_flush(struct qmgr *q)
{
	tell(q, ERRAND_REMOVE);
	tell(q, ERRAND_ASIDE);
}

/* A file that somebody still has open is not looked at all the time. */
void errand_tick(struct qmgr *q)
{
	tell(q, ERRAND_LOOK);
}

void errand_again(struct qmgr *q)
{
	struct slot *s;

	for (int e = 0; e < ERRANDS; e++)
		q->errands[e].n = 0;
	for (uint32_t n = 0; (s = store_next(&q->store, n));
	     n = s->number + 1) {
		if (s->state == SLOT_LOOKED_AT)
			store_set_state(&q->store, s, SLOT_LOOK);
		for (int e = 0; e < ERRANDS; e++)
			if (s->state == errands[e].state)
				note(&q->errands[e], s->number);
	}
}

/* The slot whose number the packet has at place I, or NULL. */
static struct slot *slot_at(struct qmgr *q, size_t i)
{
	int64_t number;

	if (!str_to_int(q->in.attr[i].value, 0, QUEUE_SLOT_MAX, &number))
		return NULL;
	return store_get(&q->store, (uint32_t)number);
}

/* No earlier finding about these is on its way any more. */
void errand_on_anew(struct qmgr *q)
{
	for (size_t i = 0; i < q->in.nattrs; i++) {
		struct slot *s = slot_at(q, i);

		if (s && s->state == SLOT_LOOK)
			store_set_state(&q->store, s, SLOT_LOOKED_AT);
		else if (s &&
			 (s->state == SLOT_REMOVE || s->state == SLOT_ASIDE))
			store_remove(&q->store, s);
	}
}

/* Those about which nothing was reported have no file, or one that is not
 * ours. */
void errand_on_looked(struct qmgr *q)
{
	for (size_t i = 0; i < q->in.nattrs; i++) {
		struct slot *s = slot_at(q, i);

		if (s && s->state == SLOT_LOOKED_AT)
			store_remove(&q->store, s);
	}
}
