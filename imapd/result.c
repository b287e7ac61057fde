/*
 * RETURN and its answer. The options are a table; each says which part of the
 * result it is about, since that part is what SAVE keeps. The response is
 * written in the order of the table, whatever the order in the command.
 */
#include "imapd/result.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "imapd/context.h"
#include "imapd/fetch.h"
#include "imapd/set.h"

/* What a response item is about: messages START to START + COUNT of the
 * result. */
struct part {
	size_t start;
	size_t count;
};

struct option {
	const char *name;
	unsigned bit;
	bool (*argument)(struct result *r, const struct arg *a);
	struct part (*part)(const struct result *r); /* which "$" gets */
};

static bool read_range(struct result *r, const struct arg *a)
{
	return range_parse(a, &r->part);
}

static struct part first_one(const struct result *r)
{
	return (struct part){ 0, r->n > 0 };
}

static struct part last_one(const struct result *r)
{
	return (struct part){ r->n > 0 ? r->n - 1 : 0, r->n > 0 };
}

static struct part everything(const struct result *r)
{
	return (struct part){ 0, r->n };
}

static struct part partial(const struct result *r)
{
	struct part p;

	range_apply(&r->part, r->n, &p.start, &p.count);
	return p;
}

static const struct option options[] = {
	{ "MIN", RESULT_MIN, NULL, first_one },
	{ "MAX", RESULT_MAX, NULL, last_one },
	{ "ALL", RESULT_ALL, NULL, everything },
	{ "COUNT", RESULT_COUNT, NULL, everything },
	{ "PARTIAL", RESULT_PARTIAL, read_range, partial },
	{ "SAVE", RESULT_SAVE, NULL, NULL },
	{ "UPDATE", RESULT_UPDATE, NULL, NULL },
	{ "CONTEXT", RESULT_CONTEXT, NULL, NULL },
	{ "RELEVANCY", RESULT_RELEVANCY, NULL, NULL },
};

/* What the response has. */
#define RESULT_TOLD \
	(RESULT_MIN | RESULT_MAX | RESULT_ALL | RESULT_COUNT | RESULT_PARTIAL)

#define OPTIONS (sizeof(options) / sizeof(options[0]))

static const struct option *find_option(const struct arg *a)
{
	for (size_t i = 0; i < OPTIONS; i++)
		if (arg_is(a, options[i].name))
			return &options[i];
	return NULL;
}

/* "UPDATE (…)": the list at *A, to which it moves. */
static bool read_update(struct result *r, const struct arg **a)
{
	const struct arg one[] = { (*a)[1], { .type = ARG_END } };
	struct arena *arena = r->s->c.arena;

	if (one[0].type != ARG_LIST)
		return true;
	(*a)++;
	r->fetch = arena_alloc(arena, sizeof(*r->fetch));
	if (fetch_parse(r->s, one, r->fetch))
		return false;
	r->fetch->what |= FETCH_UID_TOO;
	return true;
}

/* An empty list means ALL. */
static bool read_options(struct result *r, const struct arg *a)
{
	const struct option *o;

	for (; a->type != ARG_END; a++) {
		o = find_option(a);
		if (!o || (o->argument && !o->argument(r, ++a)))
			return false;
		if (o->bit == RESULT_UPDATE && !read_update(r, &a))
			return false;
		r->wanted |= o->bit;
	}
	if (!r->wanted)
		r->wanted = RESULT_ALL;
	return !(r->wanted & RESULT_ALL && r->wanted & RESULT_PARTIAL);
}

bool result_begin(struct result *r, const struct arg **a)
{
	if (!arg_is(*a, "RETURN")) {
		r->wanted = r->plain ? 0 : RESULT_ALL;
		return true;
	}
	if ((*a)[1].type != ARG_LIST || !read_options(r, (*a)[1].list))
		return conn_bad(&r->s->c, "Invalid return options.");
	if (r->wanted & RESULT_UPDATE && context_exists(r->s, r->s->c.tag))
		return conn_bad(&r->s->c, "This tag is in use for updates.");
	*a += 2;
	return true;
}

void result_room(struct result *r)
{
	size_t max = mailbox_count(r->s->box);

	r->seq = arena_alloc(r->s->c.arena, (max + 1) * sizeof(*r->seq));
	r->score = arena_alloc(r->s->c.arena, max + 1);
}

bool result_fits(const struct result *r, const struct sort *by,
		 const struct search_key *key)
{
	if (key->by_score || (!(r->wanted & RESULT_RELEVANCY) &&
			      !(by && sort_is_by_relevancy(by))))
		return true;
	return conn_bad(&r->s->c, "RELEVANCY needs a FUZZY key.");
}

static uint32_t number(const struct result *r, size_t i)
{
	return r->s->by_uid ? mailbox_uid(r->s->box, r->seq[i]) : r->seq[i];
}

/* A part of the result as a set, its order kept. */
static void put_set(const struct result *r, struct part p)
{
	uint32_t *all =
		arena_alloc(r->s->c.arena, (p.count + 1) * sizeof(*all));

	for (size_t i = 0; i < p.count; i++)
		all[i] = number(r, p.start + i);
	set_put(&r->s->out, all, p.count);
}

static void put_partial(const struct result *r)
{
	struct buf *b = &r->s->out;
	struct part p = partial(r);

	buf_printf(b, " PARTIAL (%s ", r->part.text);
	if (p.count > 0)
		put_set(r, p);
	else
		buf_puts(b, "NIL");
	buf_putc(b, ')');
}

/* The scores of what is told, or of all. */
static void put_scores(const struct result *r)
{
	struct buf *b = &r->s->out;
	struct part p = r->wanted & RESULT_PARTIAL ? partial(r) :
						     everything(r);

	buf_puts(b, " RELEVANCY (");
	for (size_t i = 0; i < p.count; i++) {
		if (i > 0)
			buf_putc(b, ' ');
		buf_put_uint(b, r->score[p.start + i]);
	}
	buf_putc(b, ')');
}

static uint64_t highest(const struct result *r, struct part p)
{
	uint64_t modseq = 0;

	for (size_t i = p.start; i < p.start + p.count; i++) {
		uint64_t one = mailbox_get(r->s->box, r->seq[i]).modseq;

		if (one > modseq)
			modseq = one;
	}
	return modseq;
}

/* The highest mod-sequence of what is told, or of all if that includes a count
 * (RFC 4731 section 3.2). */
static uint64_t modseq_of(const struct result *r)
{
	uint64_t modseq = 0;

	if (!r->wanted || r->wanted & (RESULT_ALL | RESULT_COUNT))
		return highest(r, everything(r));
	for (size_t i = 0; i < OPTIONS; i++) {
		uint64_t one = r->wanted & options[i].bit && options[i].part
				       ? highest(r, options[i].part(r))
				       : 0;

		if (one > modseq)
			modseq = one;
	}
	return modseq;
}

static void put_extended(const struct result *r)
{
	struct buf *b = &r->s->out;

	buf_printf(b, "* ESEARCH (TAG \"%s\"%s)%s", r->s->c.tag,
		   r->where ? r->where : "", r->s->by_uid ? " UID" : "");
	if (r->wanted & RESULT_MIN && r->n > 0)
		buf_printf(b, " MIN %" PRIu32, number(r, 0));
	if (r->wanted & RESULT_MAX && r->n > 0)
		buf_printf(b, " MAX %" PRIu32, number(r, r->n - 1));
	if (r->wanted & RESULT_ALL && r->n > 0) {
		buf_puts(b, " ALL ");
		put_set(r, everything(r));
	}
	if (r->wanted & RESULT_PARTIAL)
		put_partial(r);
	if (r->wanted & RESULT_COUNT)
		buf_printf(b, " COUNT %zu", r->n);
	if (r->wanted & RESULT_RELEVANCY)
		put_scores(r);
	if (r->by_modseq && r->n > 0)
		buf_printf(b, " MODSEQ %" PRIu64, modseq_of(r));
}

static void put_plain(const struct result *r)
{
	struct buf *b = &r->s->out;

	buf_printf(b, "* %s", r->plain);
	for (size_t i = 0; i < r->n; i++) {
		buf_putc(b, ' ');
		buf_put_uint(b, number(r, i));
	}
	if (r->by_modseq && r->n > 0)
		buf_printf(b, " (MODSEQ %" PRIu64 ")", modseq_of(r));
}

/* "$" gets what was told, or all if that includes a count, or if nothing was
 * told (RFC 5182 section 2.4, RFC 9394 section 3.2). */
static void save(const struct result *r)
{
	unsigned told = r->wanted & RESULT_TOLD;
	uint32_t *seq =
		arena_alloc(r->s->c.arena, (2 * r->n + 3) * sizeof(*seq));
	size_t n = 0;

	if (told == 0 || told & (RESULT_ALL | RESULT_COUNT))
		told = RESULT_ALL;
	for (size_t i = 0; i < OPTIONS; i++) {
		struct part p;

		if (!(told & options[i].bit))
			continue;
		p = options[i].part(r);
		memcpy(seq + n, r->seq + p.start, p.count * sizeof(*seq));
		n += p.count;
	}
	set_save(r->s, seq, n);
}

void result_failed(struct result *r)
{
	if (r->wanted & RESULT_SAVE)
		set_save(r->s, NULL, 0);
}

static void put(struct result *r)
{
	struct buf *b = &r->s->out;

	buf_reset(b);
	if (r->wanted)
		put_extended(r);
	else
		put_plain(r);
	buf_puts(b, "\r\n");
	stream_put(r->s->c.io, b->data, b->len);
}

/* SAVE alone tells nothing (RFC 5182 section 1). */
void result_send(struct result *r, const struct sort *by,
		 struct search_key *key)
{
	if (r->wanted & RESULT_SAVE)
		save(r);
	if (r->wanted != RESULT_SAVE && !(r->where && r->n == 0))
		put(r);
	if (r->wanted & RESULT_UPDATE)
		context_add(r, by, key);
}
