/*
 * The criteria of SORT are a table: a key word, how a message's value is found,
 * and what it compares, a number or a text. All values of a message are found
 * once, into the row that qsort moves, and texts are made comparable there: the
 * decoded field in i;unicode-casemap, without what RFC 5256 leaves out of a
 * subject. Values come from the cached header fields, so that a message is
 * opened only if it has never been looked at.
 */
#include "imapd/sort.h"

#include <string.h>

#include "base/err.h"
#include "imapd/date.h"
#include "imaptext/imaptext.h"
#include "mime/address.h"
#include "mime/decode.h"
#include "mime/field.h"

#define VALUE_MAX (64 << 20) /* as much as any header has */

/* The message at hand. */
struct subject {
	uint32_t seq;
	unsigned score;
	struct mailbox_message m;
	const char *header; /* the fields that the cache keeps */
	size_t nheader;
};

struct sort_by {
	const char *name;
	const char *field;
	void (*find)(struct sort *sort, const struct sort_by *by,
		     const struct subject *of, struct sort_value *out);
};

static bool find_field(const struct sort_by *by, const struct subject *of,
		       struct mime_field *f)
{
	return mime_field_find(of->header, of->nheader, by->field, f);
}

/* sort->text as it collates. */
static void keep_text(struct sort *sort, struct sort_value *out)
{
	struct buf *b = &sort->value;

	buf_reset(b);
	mime_collate(b, sort->text.data, sort->text.len);
	out->text = arena_strndup(sort->arena, b->data, b->len);
}

static void find_arrival(struct sort *sort, const struct sort_by *by,
			 const struct subject *of, struct sort_value *out)
{
	(void)sort;
	(void)by;
	out->number = of->m.received;
}

static void find_size(struct sort *sort, const struct sort_by *by,
		      const struct subject *of, struct sort_value *out)
{
	uint32_t size = of->m.size;

	(void)by;
	if (size == 0) /* what cannot be measured is the smallest */
		err_ignore(mailbox_size(sort->s->box, of->seq, &size));
	out->number = size;
}

static void find_date(struct sort *sort, const struct sort_by *by,
		      const struct subject *of, struct sort_value *out)
{
	struct mime_field f;

	out->number = of->m.received;
	if (!find_field(by, of, &f))
		return;
	buf_reset(&sort->text);
	mime_unfold(&sort->text, f.value, f.nvalue);
	date_parse_sent(sort->text.data, &out->number);
}

/* The first address: what ENVELOPE shows as its mailbox. */
static void take(void *context, const struct mime_address *a)
{
	struct sort *sort = context;
	const struct buf *b = a->kind == MIME_GROUP ? &a->name : &a->local;

	if (sort->text.len == 0 && a->kind != MIME_GROUP_END)
		buf_put(&sort->text, b->data, b->len);
}

static void find_address(struct sort *sort, const struct sort_by *by,
			 const struct subject *of, struct sort_value *out)
{
	struct mime_field f;

	buf_reset(&sort->text);
	if (find_field(by, of, &f))
		mime_address_list(f.value, f.nvalue, 1, take, sort);
	keep_text(sort, out);
}

/* The first address: its name as people read it, or else the address (RFC 5957
 * section 3). */
static void take_display(void *context, const struct mime_address *a)
{
	struct sort *sort = context;

	if (a->kind == MIME_GROUP) {
		buf_put(&sort->text, a->name.data, a->name.len);
		return;
	}
	if (a->kind == MIME_GROUP_END)
		return;
	mime_decode_words(&sort->text, a->name.data, a->name.len);
	if (sort->text.len == 0)
		buf_printf(&sort->text, "%s@%s", a->local.data, a->domain.data);
}

static void find_display(struct sort *sort, const struct sort_by *by,
			 const struct subject *of, struct sort_value *out)
{
	struct mime_field f;

	buf_reset(&sort->text);
	if (find_field(by, of, &f))
		mime_address_list(f.value, f.nvalue, 1, take_display, sort);
	keep_text(sort, out);
}

static void find_subject(struct sort *sort, const struct sort_by *by,
			 const struct subject *of, struct sort_value *out)
{
	struct mime_field f;

	buf_reset(&sort->text);
	buf_reset(&sort->value);
	if (find_field(by, of, &f)) {
		mime_decode_words(&sort->value, f.value, f.nvalue);
		imap_base_subject(&sort->text, sort->value.data,
				  sort->value.len);
	}
	keep_text(sort, out);
}

/* The highest first (RFC 6203 section 6). */
static void find_relevancy(struct sort *sort, const struct sort_by *by,
			   const struct subject *of, struct sort_value *out)
{
	(void)sort;
	(void)by;
	out->number = -(int64_t)of->score;
}

static const struct sort_by all[] = {
	{ "ARRIVAL", NULL, find_arrival },
	{ "CC", "Cc", find_address },
	{ "DATE", "Date", find_date },
	{ "DISPLAYFROM", "From", find_display },
	{ "DISPLAYTO", "To", find_display },
	{ "FROM", "From", find_address },
	{ "RELEVANCY", NULL, find_relevancy },
	{ "SIZE", NULL, find_size },
	{ "SUBJECT", "Subject", find_subject },
	{ "TO", "To", find_address },
};

static const struct sort_by *find_by(const struct arg *a)
{
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (arg_is(a, all[i].name))
			return &all[i];
	return NULL;
}

static bool read_criteria(struct sort *sort, const struct arg *a)
{
	for (; a->type != ARG_END; a++) {
		struct sort_criterion *c = &sort->criterion[sort->n++];

		if (sort->n > SORT_CRITERIA_MAX)
			return false;
		c->reverse = arg_is(a, "REVERSE");
		a += c->reverse;
		c->by = find_by(a);
		if (!c->by)
			return false;
	}
	return sort->n > 0;
}

bool sort_begin(struct sort *sort, struct session *s, const struct arg *a)
{
	*sort = (struct sort){ .s = s, .arena = s->c.arena };
	if (a->type != ARG_LIST || !read_criteria(sort, a->list))
		return false;
	buf_init(&sort->value, VALUE_MAX);
	buf_init(&sort->text, VALUE_MAX);
	return true;
}

void sort_copy(struct sort *copy, const struct sort *from, struct session *s,
	       struct arena *arena)
{
	*copy = from ? *from : (struct sort){ .s = s };
	copy->arena = arena;
	buf_init(&copy->value, VALUE_MAX);
	buf_init(&copy->text, VALUE_MAX);
}

void sort_end(struct sort *sort)
{
	buf_free(&sort->value);
	buf_free(&sort->text);
}

bool sort_is_by_relevancy(const struct sort *sort)
{
	for (size_t i = 0; i < sort->n; i++)
		if (sort->criterion[i].by->find == find_relevancy)
			return true;
	return false;
}

void sort_fill(struct sort *sort, uint32_t seq, unsigned score,
	       struct sort_row *row)
{
	struct subject of = { .seq = seq,
			      .score = score,
			      .m = mailbox_get(sort->s->box, seq),
			      .header = "" };
	struct mailbox_facts f;

	*row = (struct sort_row){ .sort = sort, .seq = seq, .score = score };
	if (sort->n == 0)
		return;
	if (mailbox_facts(sort->s->box, seq, false, &f) == ERR_OK) {
		of.header = f.header;
		of.nheader = f.header_len;
	}
	row->value = arena_alloc(sort->arena, sort->n * sizeof(*row->value));
	for (size_t i = 0; i < sort->n; i++) {
		const struct sort_by *by = sort->criterion[i].by;

		by->find(sort, by, &of, &row->value[i]);
	}
}

static int compare_values(const struct sort_value *a,
			  const struct sort_value *b)
{
	if (a->text)
		return strcmp(a->text, b->text);
	return (a->number > b->number) - (a->number < b->number);
}

int sort_compare(const void *a, const void *b)
{
	const struct sort_row *x = a, *y = b;
	const struct sort *sort = x->sort;

	for (size_t i = 0; i < sort->n; i++) {
		int order = compare_values(&x->value[i], &y->value[i]);

		if (order)
			return sort->criterion[i].reverse ? -order : order;
	}
	return (x->seq > y->seq) - (x->seq < y->seq);
}
