/*
 * Contexts. Each has its rows in order, by UID, and the mod-sequence up to
 * which it knows the folder. When something changed, only the messages with a
 * higher one are asked the search again; what came, went or moved in the order
 * is told as ADDTO and REMOVEFROM with positions that hold one after the other,
 * as RFC 5267 section 4.3 counts them.
 */
#include "imapd/context.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "imapd/enabled.h"
#include "imapd/fetch.h"
#include "imapd/result.h"
#include "imapd/set.h"

#define CONTEXTS_MAX 16

struct context {
	struct context *next;
	struct arena *arena; /* of the command that made it */
	const char *tag;
	const char *where; /* as in struct result, or "" */
	bool by_uid;
	struct search_key *key;
	const struct fetch *fetch; /* of new messages that match, or NULL */
	uint32_t uidnext;	   /* what was known is below it */
	struct sort by;
	struct sort_row *row; /* its `seq` is a UID: that never changes */
	size_t n;
	uint64_t modseq; /* all that was changed up to here is known */
};

/* What became of a message. */
struct news {
	uint32_t uid;
	uint32_t seq;
	bool is;  /* in the result now */
	bool was; /* before */
};

/* What is to be told: positions (from 1, or 0 for a SEARCH) and messages. */
struct change {
	const char *name;
	uint32_t *at;
	uint32_t *number;
	size_t n;
};

/* Numbers of a result from before UIDONLY are UIDs from then on. */
static bool tells_uids(const struct session *s, const struct context *c)
{
	return c->by_uid || enabled(s, ENABLED_UIDONLY);
}

static struct context **find(struct session *s, const char *tag)
{
	struct context **link = &s->contexts;

	while (*link && strcmp((*link)->tag, tag) != 0)
		link = &(*link)->next;
	return link;
}

bool context_exists(const struct session *s, const char *tag)
{
	const struct context *c = s->contexts;

	while (c && strcmp(c->tag, tag) != 0)
		c = c->next;
	return c;
}

static void drop(struct context **link)
{
	struct context *c = *link;

	*link = c->next;
	sort_end(&c->by);
	arena_free(&c->arena);
	free(c->row);
	free(c);
}

bool context_cancel(struct session *s, const char *tag)
{
	struct context **link = find(s, tag);

	if (!*link)
		return false;
	drop(link);
	return true;
}

void context_cancel_all(struct session *s)
{
	while (s->contexts)
		drop(&s->contexts);
}

/* Which messages a key means can change although they do not, as with time:
 * such a result is not kept. */
static bool moves(const struct search_key *key)
{
	const struct search_key *child;

	for (child = key->child; child; child = child->next)
		if (moves(child))
			return true;
	return key->moving;
}

/* Numbers mean the messages that have them now (RFC 5267 section 4.3). */
static void settle_numbers(struct session *s, struct search_key *key)
{
	uint32_t count = mailbox_count(s->box);
	struct search_key *child;
	size_t n = 0;

	for (child = key->child; child; child = child->next)
		settle_numbers(s, child);
	if (key->type != SEARCH_NUMBER)
		return;
	for (size_t i = 0; i < key->set.n; i++) {
		struct set_range r = key->set.range[i];

		if (r.from == 0)
			r.from = 1;
		if (r.from > count || r.to == 0)
			continue;
		r.from = mailbox_uid(s->box, r.from);
		r.to = mailbox_uid(s->box, r.to < count ? r.to : count);
		key->set.range[n++] = r;
	}
	key->set.n = n;
	key->type = SEARCH_UID;
}

/* A keyword may be new in the folder. */
static void find_keywords(struct session *s, struct search_key *key)
{
	struct search_key *child;

	for (child = key->child; child; child = child->next)
		find_keywords(s, child);
	if (key->type == SEARCH_KEYWORD &&
	    mailbox_keyword_bit(s->box, key->name, false, &key->keywords) !=
		    ERR_OK)
		key->keywords = 0;
}

static void fill(struct context *c, uint32_t seq, uint32_t uid,
		 struct sort_row *row)
{
	sort_fill(&c->by, seq, 0, row);
	row->seq = uid;
}

static void change_begin(struct session *s, struct change *ch, const char *name,
			 size_t max)
{
	ch->name = name;
	ch->n = 0;
	ch->at = arena_alloc(s->c.arena, (max + 1) * sizeof(*ch->at));
	ch->number = arena_alloc(s->c.arena, (max + 1) * sizeof(*ch->number));
}

static void note(struct change *ch, size_t at, uint32_t number)
{
	ch->at[ch->n] = (uint32_t)at + 1;
	ch->number[ch->n++] = number;
}

/* " ADDTO (position set …)". Of a SEARCH all have position 0, and are in the
 * order of the mailbox. */
static void put_change(const struct context *c, const struct change *ch,
		       struct buf *b)
{
	if (ch->n == 0)
		return;
	buf_printf(b, " %s (", ch->name);
	if (c->by.n == 0) {
		buf_puts(b, "0 ");
		set_put(b, ch->number, ch->n);
	}
	for (size_t i = 0; c->by.n > 0 && i < ch->n; i++)
		buf_printf(b, "%s%u %u", i > 0 ? " " : "", ch->at[i],
			   ch->number[i]);
	buf_putc(b, ')');
}

static void tell(struct session *s, const struct context *c,
		 const struct change *out, const struct change *in)
{
	struct buf *b = &s->out;

	if (out->n == 0 && in->n == 0)
		return;
	buf_reset(b);
	buf_printf(b, "* ESEARCH (TAG \"%s\"%s)%s", c->tag, c->where,
		   tells_uids(s, c) ? " UID" : "");
	put_change(c, out, b);
	put_change(c, in, b);
	buf_puts(b, "\r\n");
	stream_put(s->c.io, b->data, b->len);
}

static int compare_uids(const void *a, const void *b)
{
	const struct news *x = a, *y = b;

	return x->uid < y->uid ? -1 : x->uid > y->uid;
}

static struct news *find_news(struct news *news, size_t n, uint32_t uid)
{
	return bsearch(&(struct news){ .uid = uid }, news, n, sizeof(*news),
		       compare_uids);
}

/* Takes rows out that do not match any more, from the first on: each leaves the
 * place that it has after those before it were taken out. */
static void take_out(struct session *s, struct context *c, struct news *news,
		     size_t n, struct change *out)
{
	size_t i, to = 0;

	for (i = 0; i < c->n; i++) {
		const struct news wanted = { .uid = c->row[i].seq };
		struct news *found =
			bsearch(&wanted, news, n, sizeof(*news), compare_uids);

		if (found)
			found->was = true;
		if (!found || found->is)
			c->row[to++] = c->row[i];
		else
			note(out, to, tells_uids(s, c) ? found->uid : found->seq);
	}
	c->n = to;
}

/* The new rows, sorted. */
static struct sort_row *new_rows(struct context *c, const struct news *news,
				 size_t n, size_t *count)
{
	struct sort_row *row = mem_array(n + 1, sizeof(*row));

	*count = 0;
	for (size_t i = 0; i < n; i++)
		if (news[i].is && !news[i].was)
			fill(c, news[i].seq, news[i].uid, &row[(*count)++]);
	qsort(row, *count, sizeof(*row), sort_compare);
	return row;
}

/* Puts new rows in, from the first on: so each gets the place that it keeps. */
static void put_in(struct session *s, struct context *c, struct news *news,
		   size_t n, struct change *in)
{
	size_t count, i = 0, k = 0, to;
	struct sort_row *new = new_rows(c, news, n, &count);
	struct sort_row *all = mem_array(c->n + count + 1, sizeof(*all));
	const struct news *of;

	for (to = 0; to < c->n + count; to++) {
		if (k == count ||
		    (i < c->n && sort_compare(&c->row[i], &new[k]) < 0)) {
			all[to] = c->row[i++];
			continue;
		}
		of = find_news(news, n, new[k].seq);
		note(in, to, tells_uids(s, c) ? of->uid : of->seq);
		all[to] = new[k++];
	}
	free(c->row);
	free(new);
	c->row = all;
	c->n = to;
}

/* NEWS is in the order of UIDs. */
static void apply(struct session *s, struct context *c, struct news *news,
		  size_t n)
{
	struct change out, in;

	change_begin(s, &out, "REMOVEFROM", n);
	change_begin(s, &in, "ADDTO", n);
	take_out(s, c, news, n, &out);
	put_in(s, c, news, n, &in);
	tell(s, c, &out, &in);
}

void context_gone(struct session *s, const uint32_t *seq, const uint32_t *uid,
		  size_t n)
{
	for (struct context *c = s->contexts; c && n > 0; c = c->next) {
		struct news *news = arena_alloc(s->c.arena, n * sizeof(*news));

		for (size_t i = 0; i < n; i++) /* the numbers they still have */
			news[i] = (struct news){ .uid = uid[i],
						 .seq = seq[i] + (uint32_t)i };
		apply(s, c, news, n);
	}
}

/* New messages that match; not those whose flags have changed (RFC 5465
 * section 7). */
static void put_new(struct session *s, const struct context *c,
		    const struct news *news, size_t n)
{
	for (size_t i = 0; c->fetch && i < n; i++)
		if (news[i].is && news[i].uid >= c->uidnext)
			fetch_put(s, c->fetch, news[i].seq);
}

static void update(struct session *s, struct context *c)
{
	uint32_t count = mailbox_count(s->box), seq;
	struct news *news = mem_array((size_t)count + 1, sizeof(*news));
	struct search *m = search_new(s);
	size_t n = 0;

	find_keywords(s, c->key);
	for (seq = 1; seq <= count; seq++) {
		struct mailbox_message msg = mailbox_get(s->box, seq);

		if (msg.modseq > c->modseq)
			news[n++] = (struct news){
				.uid = msg.uid,
				.seq = seq,
				.is = search_match(m, c->key, seq),
			};
	}
	c->modseq = mailbox_highestmodseq(s->box);
	search_free(&m);
	put_new(s, c, news, n);
	c->uidnext = mailbox_uidnext(s->box);
	if (n > 0)
		apply(s, c, news, n);
	free(news);
}

void context_changed(struct session *s)
{
	for (struct context *c = s->contexts; c; c = c->next)
		if (mailbox_highestmodseq(s->box) != c->modseq)
			update(s, c);
}

/* Why the result of KEY cannot be kept, or NULL. */
static const char *refusal(const struct session *s, const struct sort *by,
			   const struct search_key *key)
{
	size_t n = 0;

	for (const struct context *c = s->contexts; c; c = c->next)
		n++;
	if (n >= CONTEXTS_MAX)
		return "Too many contexts.";
	if (moves(key))
		return "This changes by itself.";
	if (by && sort_is_by_relevancy(by))
		return "The order is of this moment.";
	return NULL;
}

void context_add(const struct result *r, const struct sort *by,
		 struct search_key *key)
{
	struct session *s = r->s;
	const char *why = refusal(s, by, key);
	size_t n = r->n;
	struct context *c;

	if (why) {
		conn_put(&s->c, "* NO [NOUPDATE \"%s\"] %s", s->c.tag, why);
		return;
	}
	c = mem_alloc(sizeof(*c));
	c->tag = s->c.tag;
	c->where = r->where ? r->where : "";
	c->by_uid = s->by_uid;
	c->key = key;
	c->fetch = r->fetch;
	c->uidnext = mailbox_uidnext(s->box);
	c->modseq = mailbox_highestmodseq(s->box);
	settle_numbers(s, key);
	c->arena = s->c.arena;
	s->c.arena = arena_new();
	sort_copy(&c->by, by, s, c->arena);
	c->row = n > 0 ? mem_array(n, sizeof(*c->row)) : NULL;
	for (; c->n < n; c->n++)
		fill(c, r->seq[c->n], mailbox_uid(s->box, r->seq[c->n]),
		     &c->row[c->n]);
	if (n > 0)
		qsort(c->row, n, sizeof(*c->row), sort_compare);
	c->next = s->contexts;
	s->contexts = c;
}
