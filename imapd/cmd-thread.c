/* THREAD (RFC 5256): a SEARCH whose numbers come as trees. */
#include "imapd/commands.h"
#include "imapd/search.h"
#include "imapd/thread.h"

static void put_number(struct session *s, uint32_t seq)
{
	buf_put_uint(&s->out, s->by_uid ? mailbox_uid(s->box, seq) : seq);
}

/* What closes at the end of NODE, of the thread ROOT: goes on to the next
 * sibling of it or of one above it, or gives NULL. */
static const struct thread_node *close_lists(struct buf *b,
					     const struct thread_node *root,
					     const struct thread_node *node)
{
	for (; node != root; node = node->parent) {
		if (node->next) {
			buf_puts(b, ")(");
			return node->next;
		}
		if (node->parent->child != node)
			buf_putc(b, ')');
	}
	return NULL;
}

/* An only child follows its parent, several are in lists of their own. Walks
 * without recursion, however deep a thread is. */
static void put_thread(struct session *s, const struct thread_node *root)
{
	struct buf *b = &s->out;
	const struct thread_node *node = root;

	buf_putc(b, '(');
	while (node) {
		if (node->seq)
			put_number(s, node->seq);
		if (!node->child) {
			node = close_lists(b, root, node);
			continue;
		}
		if (node->seq)
			buf_putc(b, ' ');
		node = node->child;
		if (node->next)
			buf_putc(b, '(');
	}
	buf_putc(b, ')');
}

static void put(struct session *s, const struct thread_node *first)
{
	struct buf *b = &s->out;

	buf_reset(b);
	buf_puts(b, "* THREAD");
	if (first)
		buf_putc(b, ' ');
	for (; first; first = first->next)
		put_thread(s, first);
	buf_puts(b, "\r\n");
	stream_put(s->c.io, b->data, b->len);
}

static void thread(struct session *s, const struct thread_algorithm *by,
		   const struct search_key *key)
{
	uint32_t count = mailbox_count(s->box), seq;
	struct search *m = search_new(s);
	struct thread *t = thread_new(s, by, count);

	for (seq = 1; seq <= count; seq++)
		if (search_match(m, key, seq))
			by->add(t, seq);
	by->finish(t);
	put(s, t->top.child);
	thread_free(&t);
	search_tell_unread(m);
	search_free(&m);
	session_reply(s, "OK Thread completed.");
}

void cmd_thread(struct session *s)
{
	const struct arg *a = s->c.args;
	const struct thread_algorithm *by = thread_find(&a[0]);
	struct search_key *key;
	const char *charset;

	if (!by) {
		conn_bad(&s->c, "Unknown thread algorithm.");
		return;
	}
	if (!search_charset(s, &a[1], &charset))
		return;
	key = search_parse(s, &a[2], charset);
	if (key)
		thread(s, by, key);
}
