#include "queue-manager/circle.h"

#include <stdlib.h>

#include "base/mem.h"
#include "queue-manager/message.h"

/* A walk from recipient to recipient. */
struct walk {
	const struct message *m;
	bool *seen;
	unsigned *stack;
	size_t n;
	bool failed; /* it passed a failed recipient */
};

static void walk_begin(struct walk *w, const struct message *m)
{
	*w = (struct walk){ .m = m };
	w->seen = mem_array(m->nrcpts, sizeof(*w->seen));
	w->stack = mem_array(m->nrcpts, sizeof(*w->stack));
}

static void walk_end(struct walk *w)
{
	free(w->seen);
	free(w->stack);
}

static void walk_to(struct walk *w, unsigned i)
{
	if (w->seen[i])
		return;
	w->seen[i] = true;
	w->stack[w->n++] = i;
}

/* True when it comes to an end. */
static bool walk_on(struct walk *w)
{
	while (w->n > 0) {
		const struct recipient *r = &w->m->rcpt[w->stack[--w->n]];

		if (r->copied || (r->state != RECIPIENT_EXPANDED &&
				  r->state != RECIPIENT_FAILED))
			return true;
		w->failed |= r->state == RECIPIENT_FAILED;
		for (unsigned k = 0; k < r->nto; k++)
			walk_to(w, r->to[k]);
	}
	return false;
}

const char *circle_found(struct message *m, unsigned index,
			 const char *const *address, size_t n)
{
	const char *why = NULL;
	struct walk w;

	for (size_t i = 0; i < n; i++)
		if (*address[i] && !message_find(m, address[i]))
			return NULL;
	walk_begin(&w, m);
	w.seen[index] = true;
	for (size_t i = 0; i < n; i++)
		if (*address[i])
			walk_to(&w, (unsigned)message_find(m, address[i]) - 1);
	if (!walk_on(&w))
		why = w.failed ? "it leads only to addresses that failed"
			       : "mail forwarding loop: it leads back here";
	walk_end(&w);
	return why;
}

static unsigned root_of(const struct message *m, unsigned i)
{
	while (m->rcpt[i].depth > 0)
		i = m->rcpt[i].parent;
	return i;
}

bool circle_holds(const struct message *m, unsigned i, unsigned index)
{
	const struct recipient *r = &m->rcpt[i];
	struct walk w;
	bool held;

	if (r->depth > 0 || r->state != RECIPIENT_EXPANDED || r->list ||
	    root_of(m, index) == i)
		return false;
	walk_begin(&w, m);
	walk_to(&w, i);
	held = !walk_on(&w) && w.seen[index];
	walk_end(&w);
	return held;
}
