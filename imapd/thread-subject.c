/* Threads by subject (RFC 5256 section 3). */
#include "imapd/thread.h"

#include <string.h>

/* A thread in step 5 of REFERENCES. */
struct top {
	struct thread_node *node;
	const char *subject; /* NULL: it has none */
	bool reply;	     /* it is one, or forwarded */
};

static struct top *top_of(struct thread *t, struct thread_node *node)
{
	struct top *top = arena_alloc(t->s->c.arena, sizeof(*top));

	top->node = node;
	top->reply = thread_base_subject(t, node->seq ? node : node->child);
	if (t->text.len > 0)
		top->subject =
			arena_strndup(t->s->c.arena, t->text.data, t->text.len);
	return top;
}

/* Does A represent their subject rather than B, which does now? */
static bool is_better(const struct top *a, const struct top *b)
{
	return b->node->seq && (a->node->seq == 0 || (b->reply && !a->reply));
}

/* Steps 5.A and 5.B */
static void gather(struct map *subjects, struct top *top)
{
	struct top *former;

	if (!top->subject)
		return;
	former = map_get(subjects, top->subject);
	if (!former || is_better(top, former))
		map_put(subjects, top->subject, top);
}

/* Step 5.C for TOP: it joins the thread that represents its subject. */
static bool merge(struct thread *t, struct map *subjects, struct top *top)
{
	struct top *to = top->subject ? map_get(subjects, top->subject) : NULL;
	struct thread_node *child, *above;

	if (!to || to == top)
		return false;
	if (to->node->seq && !(top->reply && !to->reply)) {
		above = thread_node(t, 0);
		to->node->parent = above;
		to->node = above;
	}
	if (top->node->seq)
		top->node->parent = to->node;
	for (child = top->node->child; child && top->node->seq == 0;
	     child = child->next)
		child->parent = to->node;
	return true;
}

bool thread_merge_subjects(struct thread *t)
{
	struct map *subjects = map_new();
	struct top **top =
		arena_alloc(t->s->c.arena, (t->n + 1) * sizeof(*top));
	struct thread_node *node;
	size_t n = 0, i;
	bool merged = false;

	for (node = t->top.child; node; node = node->next) {
		top[n] = top_of(t, node);
		gather(subjects, top[n++]);
	}
	for (i = 0; i < n; i++)
		merged |= merge(t, subjects, top[i]);
	map_free(&subjects);
	return merged;
}

void thread_add_subject(struct thread *t, uint32_t seq)
{
	struct mime_field f[THREAD_FIELDS];

	thread_find_fields(t, seq, f);
	thread_take(t, thread_node(t, seq), f);
}

/* The first message of each subject has the others as its children. */
void thread_finish_subject(struct thread *t)
{
	struct thread_node *first;
	size_t i;

	thread_sort(t);
	for (i = 0; i < t->n; i++) {
		thread_base_subject(t, t->message[i]);
		first = map_get(t->ids, t->text.data);
		if (!first)
			map_put(t->ids, t->text.data, t->message[i]);
		else
			t->message[i]->parent = first;
		thread_append(first ? first : &t->top, t->message[i]);
	}
}
