/*
 * REFERENCES (RFC 5256 section 3), in its steps. First each message is linked
 * below the last that it refers to, with nodes for messages that are not here.
 * Then these are taken out: a message's parent becomes its nearest ancestor
 * that is here, or else the topmost one. Siblings are never sorted one list
 * after the other: all messages are sorted by date once, and appended to their
 * parents in this order.
 *
 * Dovecot's REFS is the same without the subjects, and the thread with the
 * latest message comes last.
 */
#include "imapd/thread.h"
#include "mime/message-id.h"

/* The next identifier of F at *POS (NULL: the first one) into t->id. */
static bool next_id(struct thread *t, const struct mime_field *f,
		    const char **pos)
{
	if (!f->raw)
		return false;
	if (!*pos)
		*pos = f->value;
	return mime_message_id(pos, f->value + f->nvalue, &t->id);
}

/* The node of t->id. */
static struct thread_node *known(struct thread *t)
{
	struct thread_node *node = map_get(t->ids, t->id.data);

	if (!node) {
		node = thread_node(t, 0);
		map_put(t->ids, t->id.data, node);
	}
	return node;
}

/* The node of the message SEQ; one without an identifier, or with that of
 * another message, is known to nobody. */
static struct thread_node *own(struct thread *t, uint32_t seq,
			       const struct mime_field *f)
{
	const char *pos = NULL;
	struct thread_node *node;

	if (next_id(t, f, &pos)) {
		node = known(t);
		if (node->seq == 0) {
			node->seq = seq;
			return node;
		}
	}
	return thread_node(t, seq);
}

/* Links CHILD below PARENT, unless PARENT is below CHILD. */
static void join(struct thread_node *parent, struct thread_node *child)
{
	const struct thread_node *up = child->referred ? parent : NULL;

	while (up && up != child)
		up = up->parent;
	if (up || parent == child)
		return;
	child->parent = parent;
	parent->referred = true;
}

/* Step 1.A: the identifiers of F are ancestors, each of the next; links that
 * exist stay. Gives the last, or NULL. */
static struct thread_node *ancestors(struct thread *t,
				     const struct mime_field *f, bool all)
{
	struct thread_node *last = NULL, *node;
	const char *pos = NULL;

	while ((!last || all) && next_id(t, f, &pos)) {
		node = known(t);
		if (last && !node->parent)
			join(last, node);
		last = node;
	}
	return last;
}

void thread_add_references(struct thread *t, uint32_t seq)
{
	struct mime_field f[THREAD_FIELDS];
	struct thread_node *node, *parent;

	thread_find_fields(t, seq, f);
	node = own(t, seq, &f[THREAD_MESSAGE_ID]);
	thread_take(t, node, f);
	parent = ancestors(t, &f[THREAD_REFERENCES], true);
	if (!parent)
		parent = ancestors(t, &f[THREAD_IN_REPLY_TO], false);
	if (node->parent != parent)
		node->parent = NULL;
	if (parent && !node->parent)
		join(parent, node);
}

/* The parent of NODE without the messages that are not here, unless there is
 * none but those: then the topmost. The way to it gets shorter for others. */
static struct thread_node *nearest(struct thread_node *node)
{
	struct thread_node *to = node->parent, *up, *next;

	while (to && to->seq == 0 && to->parent)
		to = to->parent;
	for (up = node->parent; up && up != to; up = next) {
		next = up->parent;
		up->parent = to;
	}
	return to;
}

/* A message that is not here has the place of its first child. */
static void arrange(struct thread *t)
{
	size_t i;

	t->top.child = t->top.last = NULL;
	for (i = 0; i < t->n; i++) {
		struct thread_node *m = t->message[i], *up = m->parent;

		m->child = NULL;
		if (up && up->seq == 0)
			up->child = NULL;
	}
	for (i = 0; i < t->n; i++) {
		struct thread_node *m = t->message[i], *up = m->parent;

		if (up && up->seq == 0 && !up->child)
			thread_append(&t->top, up);
		thread_append(up ? up : &t->top, m);
	}
}

/* Steps 2 and 3. */
static void prune(struct thread *t)
{
	size_t i;

	thread_sort(t);
	for (i = 0; i < t->n; i++)
		t->message[i]->parent = nearest(t->message[i]);
	arrange(t);
}

/* An only child below nobody is a thread of its own. */
static void promote(struct thread *t)
{
	for (size_t i = 0; i < t->n; i++) {
		struct thread_node *m = t->message[i], *up = m->parent;

		if (up && up->seq == 0 && up->child == up->last)
			m->parent = NULL;
	}
	arrange(t);
}

void thread_finish_references(struct thread *t)
{
	prune(t);
	promote(t);
	if (thread_merge_subjects(t))
		arrange(t);
}

/* The top of the thread that NODE is in, noted for all on the way. */
static struct thread_node *root(struct thread_node *node)
{
	struct thread_node *up = node, *top;

	while (up->parent && !up->root)
		up = up->parent;
	top = up->root ? up->root : up;
	for (; node != up; node = node->parent)
		node->root = top;
	return top;
}

/* Threads in order of their latest messages. */
void thread_finish_refs(struct thread *t)
{
	prune(t);
	t->top.child = NULL;
	for (size_t i = t->n; i > 0; i--) {
		struct thread_node *top = root(t->message[i - 1]);

		if (top->root)
			continue;
		top->root = top;
		top->next = t->top.child;
		t->top.child = top;
	}
}
