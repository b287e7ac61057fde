/*
 * Sets of messages, kept as ranges that ascend and do not touch. A set from the
 * client becomes the sequence numbers that it means for the command at hand:
 * numbers beyond the last are an error, UIDs of no message are not (RFC 3501
 * section 6.4.8); "$" is the result that a SEARCH saved.
 */
#include "imapd/set.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static int compare(const void *a, const void *b)
{
	const struct set_range *x = a, *y = b;

	return x->from < y->from ? -1 : x->from > y->from;
}

/* Takes a number or "*" off the front of *P. */
static bool parse_number(const char **p, uint32_t last, uint32_t *number)
{
	const char *start = *p;
	int64_t value;

	if (*start == '*') {
		*number = last;
		*p = start + 1;
		return true;
	}
	while (str_isdigit((unsigned char)**p))
		(*p)++;
	if (!str_span_to_int(start, (size_t)(*p - start), 1, UINT32_MAX,
			     &value))
		return false;
	*number = (uint32_t)value;
	return true;
}

/* RFC 3501: "4:2" is the same as "2:4". */
static bool parse_range(const char **p, uint32_t last, struct set_range *r)
{
	uint32_t swap;

	if (!parse_number(p, last, &r->from))
		return false;
	r->to = r->from;
	if (**p == ':') {
		(*p)++;
		if (!parse_number(p, last, &r->to))
			return false;
	}
	if (r->to < r->from) {
		swap = r->to;
		r->to = r->from;
		r->from = swap;
	}
	return true;
}

static void join(struct set *s)
{
	size_t i, n = 0;

	qsort(s->range, s->n, sizeof(*s->range), compare);
	for (i = 0; i < s->n; i++) {
		struct set_range *prev = n > 0 ? &s->range[n - 1] : NULL;

		if (!prev || s->range[i].from > prev->to)
			s->range[n++] = s->range[i];
		else if (s->range[i].to > prev->to)
			prev->to = s->range[i].to;
	}
	s->n = n;
}

bool set_parse(struct arena *a, const char *text, uint32_t last,
	       struct set *out)
{
	const char *p;
	size_t n = 1;

	for (p = text; *p; p++)
		n += *p == ',';
	out->range = arena_alloc(a, n * sizeof(*out->range));
	out->n = 0;
	for (p = text;; p++) {
		if (!parse_range(&p, last, &out->range[out->n++]))
			return false;
		if (*p != ',')
			break;
	}
	join(out);
	return *p == '\0';
}

bool set_parse_known(struct arena *a, const char *text, struct set *out)
{
	return !strchr(text, '*') && set_parse(a, text, 0, out);
}

uint64_t set_count(const struct set *set)
{
	uint64_t count = 0;
	size_t i;

	for (i = 0; i < set->n; i++)
		count += (uint64_t)set->range[i].to - set->range[i].from + 1;
	return count;
}

struct set set_meet(struct arena *a, const struct set *x, const struct set *y)
{
	struct set both = {
		.range = arena_alloc(a, (x->n + y->n + 1) * sizeof(*both.range))
	};
	size_t i = 0, k = 0;

	while (i < x->n && k < y->n) {
		const struct set_range *p = &x->range[i], *q = &y->range[k];
		struct set_range r = { p->from > q->from ? p->from : q->from,
				       p->to < q->to ? p->to : q->to };

		if (r.from <= r.to)
			both.range[both.n++] = r;
		if (p->to < q->to)
			i++;
		else
			k++;
	}
	return both;
}

bool set_has(const struct set *set, uint32_t number)
{
	size_t low = 0, high = set->n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (set->range[mid].to < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low < set->n && set->range[low].from <= number;
}

/* Ranges of UIDs become ranges of sequence numbers; empty ones are dropped. */
static void to_numbers(struct mailbox *m, struct set *s)
{
	uint32_t count = mailbox_count(m);
	size_t i, n = 0;

	for (i = 0; i < s->n; i++) {
		struct set_range r = s->range[i];

		r.from = mailbox_from(m, r.from);
		r.to = r.to == UINT32_MAX ? count
					  : mailbox_from(m, r.to + 1) - 1;
		if (r.from <= r.to)
			s->range[n++] = r;
	}
	s->n = n;
}

static void expand(struct session *s, const struct set *set, uint32_t **seq,
		   size_t *n)
{
	size_t i, total = 0;
	uint32_t number;

	for (i = 0; i < set->n; i++)
		total += set->range[i].to - set->range[i].from + 1;
	*seq = arena_alloc(s->c.arena, (total + 1) * sizeof(**seq));
	*n = 0;
	for (i = 0; i < set->n; i++)
		for (number = set->range[i].from; number <= set->range[i].to;
		     number++)
			(*seq)[(*n)++] = number;
}

static int compare_numbers(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

void set_save(struct session *s, const uint32_t *seq, size_t n)
{
	struct session_saved *saved = &s->saved;
	size_t i, to = 0;

	free(saved->uid);
	saved->uid = n > 0 ? mem_array(n, sizeof(*saved->uid)) : NULL;
	for (i = 0; i < n; i++)
		saved->uid[i] = mailbox_uid(s->box, seq[i]);
	if (n > 0)
		qsort(saved->uid, n, sizeof(*saved->uid), compare_numbers);
	for (i = 0; i < n; i++)
		if (to == 0 || saved->uid[to - 1] != saved->uid[i])
			saved->uid[to++] = saved->uid[i];
	saved->n = to;
}

void set_saved(struct session *s, struct set *out)
{
	const struct session_saved *saved = &s->saved;

	out->n = saved->n;
	out->range =
		arena_alloc(s->c.arena, (saved->n + 1) * sizeof(*out->range));
	for (size_t i = 0; i < saved->n; i++)
		out->range[i] =
			(struct set_range){ saved->uid[i], saved->uid[i] };
}

bool set_is_saved(const struct arg *arg)
{
	return arg_is(arg, "$");
}

bool set_messages(struct session *s, const struct arg *arg, uint32_t **seq,
		  size_t *n)
{
	uint32_t count = mailbox_count(s->box);
	uint32_t last = count;
	struct set set;

	if (set_is_saved(arg)) {
		set_saved(s, &set);
		to_numbers(s->box, &set);
		expand(s, &set, seq, n);
		return true;
	}
	if (s->by_uid && count > 0)
		last = mailbox_uid(s->box, count);
	if (arg->type != ARG_ATOM || !set_parse(s->c.arena, arg->s, last, &set))
		return conn_bad(&s->c, "Invalid message set.");
	if (s->by_uid)
		to_numbers(s->box, &set);
	else if (set.range[0].from == 0 || set.range[set.n - 1].to > count)
		return conn_bad(&s->c, "No such message.");
	expand(s, &set, seq, n);
	return true;
}

void set_put_set(struct buf *out, const struct set *set)
{
	size_t i;

	for (i = 0; i < set->n; i++) {
		const struct set_range *r = &set->range[i];

		buf_printf(out, i == 0 ? "%u" : ",%u", r->from);
		if (r->to > r->from)
			buf_printf(out, ":%u", r->to);
	}
}

void set_put(struct buf *out, const uint32_t *number, size_t n)
{
	size_t i, from;

	for (i = 0; i < n; i++) {
		from = i;
		while (i + 1 < n && number[i + 1] == number[i] + 1)
			i++;
		buf_printf(out, from == 0 ? "%u" : ",%u", number[from]);
		if (i > from)
			buf_printf(out, ":%u", number[i]);
	}
}
