#include "imapd/thread.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "imapd/date.h"
#include "imaptext/imaptext.h"
#include "mime/decode.h"

#define TEXT_MAX (64 << 20) /* as much as any header has */

static const struct thread_algorithm all[] = {
	{ "ORDEREDSUBJECT", thread_add_subject, thread_finish_subject },
	{ "REFERENCES", thread_add_references, thread_finish_references },
	{ "REFS", thread_add_references, thread_finish_refs },
};

static const char *const fields[THREAD_FIELDS] = {
	[THREAD_DATE] = "Date",
	[THREAD_SUBJECT] = "Subject",
	[THREAD_MESSAGE_ID] = "Message-ID",
	[THREAD_REFERENCES] = "References",
	[THREAD_IN_REPLY_TO] = "In-Reply-To",
};

const struct thread_algorithm *thread_find(const struct arg *a)
{
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (arg_is(a, all[i].name))
			return &all[i];
	return NULL;
}

struct thread *thread_new(struct session *s, const struct thread_algorithm *by,
			  size_t max)
{
	struct thread *t = mem_alloc(sizeof(*t));

	t->s = s;
	t->by = by;
	t->message = mem_array(max + 1, sizeof(struct thread_node *));
	t->ids = map_new();
	buf_init(&t->id, TEXT_MAX);
	buf_init(&t->text, TEXT_MAX);
	return t;
}

void thread_free(struct thread **t)
{
	free((*t)->message);
	map_free(&(*t)->ids);
	buf_free(&(*t)->id);
	buf_free(&(*t)->text);
	free(*t);
	*t = NULL;
}

struct thread_node *thread_node(struct thread *t, uint32_t seq)
{
	struct thread_node *node = arena_alloc(t->s->c.arena, sizeof(*node));

	node->seq = seq;
	return node;
}

void thread_append(struct thread_node *parent, struct thread_node *node)
{
	if (parent->child)
		parent->last->next = node;
	else
		parent->child = node;
	parent->last = node;
	node->next = NULL;
}

void thread_find_fields(struct thread *t, uint32_t seq,
			struct mime_field found[THREAD_FIELDS])
{
	struct mailbox_facts facts;
	struct mime_field f;
	const char *pos;

	memset(found, 0, THREAD_FIELDS * sizeof(*found));
	if (mailbox_facts(t->s->box, seq, false, &facts) != ERR_OK)
		return;
	pos = facts.header;
	while (mime_field_next(&pos, facts.header + facts.header_len, &f))
		for (int i = 0; i < THREAD_FIELDS; i++)
			if (!found[i].raw && mime_field_is(&f, fields[i])) {
				found[i] = f;
				break;
			}
}

static int64_t sent(struct thread *t, uint32_t seq, const struct mime_field *f)
{
	int64_t when = mailbox_get(t->s->box, seq).received;

	if (!f->raw)
		return when;
	buf_reset(&t->text);
	mime_unfold(&t->text, f->value, f->nvalue);
	date_parse_sent(t->text.data, &when);
	return when;
}

void thread_take(struct thread *t, struct thread_node *node,
		 const struct mime_field f[THREAD_FIELDS])
{
	const struct mime_field *subject = &f[THREAD_SUBJECT];

	node->date = sent(t, node->seq, &f[THREAD_DATE]);
	if (subject->raw)
		node->subject = arena_strndup(t->s->c.arena, subject->value,
					      subject->nvalue);
	t->message[t->n++] = node;
}

static int compare(const void *a, const void *b)
{
	const struct thread_node *x = *(struct thread_node *const *)a;
	const struct thread_node *y = *(struct thread_node *const *)b;

	if (x->date != y->date)
		return x->date < y->date ? -1 : 1;
	return (x->seq > y->seq) - (x->seq < y->seq);
}

void thread_sort(struct thread *t)
{
	qsort(t->message, t->n, sizeof(struct thread_node *), compare);
}

bool thread_base_subject(struct thread *t, const struct thread_node *node)
{
	struct buf *value = &t->id, *base = &t->text;
	bool reply;

	buf_reset(value);
	buf_reset(base);
	if (!node->subject)
		return false;
	mime_decode_words(value, node->subject, strlen(node->subject));
	reply = imap_base_subject(base, value->data, value->len);
	buf_reset(value);
	mime_collate(value, base->data, base->len);
	buf_reset(base);
	buf_put(base, value->data, value->len);
	return reply;
}
