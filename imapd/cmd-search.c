/*
 * SEARCH, and what it returns: all numbers in one line, or what RETURN asks
 * for (RFC 4731).
 */
#include <inttypes.h>

#include "imapd/commands.h"
#include "imapd/search.h"

enum {
	RETURN_MIN = 1 << 0,
	RETURN_MAX = 1 << 1,
	RETURN_ALL = 1 << 2,
	RETURN_COUNT = 1 << 3
};

static const struct {
	const char *name;
	unsigned bit;
} options[] = {
	{ "MIN", RETURN_MIN },
	{ "MAX", RETURN_MAX },
	{ "ALL", RETURN_ALL },
	{ "COUNT", RETURN_COUNT },
};

/* A search in progress: what matched, by number or by UID. */
struct result {
	struct session *s;
	unsigned wanted; /* what RETURN named; 0: the plain SEARCH response */
	uint32_t *number;
	size_t n;
};

static void put_plain(const struct result *r, struct buf *b)
{
	buf_puts(b, "* SEARCH");
	for (size_t i = 0; i < r->n; i++) {
		buf_putc(b, ' ');
		buf_put_uint(b, r->number[i]);
	}
}

static void put_extended(const struct result *r, struct buf *b)
{
	buf_printf(b, "* ESEARCH (TAG \"%s\")%s", r->s->c.tag,
		   r->s->by_uid ? " UID" : "");
	if (r->wanted & RETURN_MIN && r->n > 0)
		buf_printf(b, " MIN %" PRIu32, r->number[0]);
	if (r->wanted & RETURN_MAX && r->n > 0)
		buf_printf(b, " MAX %" PRIu32, r->number[r->n - 1]);
	if (r->wanted & RETURN_ALL && r->n > 0) {
		buf_puts(b, " ALL ");
		set_put(b, r->number, r->n);
	}
	if (r->wanted & RETURN_COUNT)
		buf_printf(b, " COUNT %zu", r->n);
}

static void look(struct result *r, struct search *m,
		 const struct search_key *key)
{
	struct session *s = r->s;
	uint32_t count = mailbox_count(s->box), seq;

	r->number = arena_alloc(s->c.arena,
				((size_t)count + 1) * sizeof(*r->number));
	for (seq = 1; seq <= count; seq++) {
		if (!search_match(m, key, seq))
			continue;
		r->number[r->n++] = s->by_uid ? mailbox_uid(s->box, seq) : seq;
		if (r->wanted == RETURN_MIN)
			return;
	}
}

static void search(struct result *r, const struct search_key *key)
{
	struct session *s = r->s;
	struct search *m = search_new(s);
	struct buf *b = &s->out;

	look(r, m, key);
	buf_reset(b);
	if (r->wanted)
		put_extended(r, b);
	else
		put_plain(r, b);
	buf_puts(b, "\r\n");
	stream_put(s->c.io, b->data, b->len);
	search_tell_unread(m);
	search_free(&m);
	session_reply(s, "OK Search completed.");
}

/* What RETURN asks for; an empty list means ALL. False: something unknown. */
static bool read_return(const struct arg *a, unsigned *wanted)
{
	size_t i;

	if (a->type != ARG_LIST)
		return false;
	for (a = a->list; a->type != ARG_END; a++) {
		for (i = 0; i < sizeof(options) / sizeof(options[0]); i++)
			if (arg_is(a, options[i].name))
				break;
		if (i == sizeof(options) / sizeof(options[0]))
			return false;
		*wanted |= options[i].bit;
	}
	if (!*wanted)
		*wanted = RETURN_ALL;
	return true;
}

void cmd_search(struct session *s)
{
	struct result r = { .s = s };
	const struct arg *a = s->c.args;
	const char *charset = "UTF-8";
	struct search_key *key;

	if (arg_is(a, "RETURN")) {
		if (!read_return(&a[1], &r.wanted)) {
			conn_bad(&s->c, "Unknown return option.");
			return;
		}
		a += 2;
	}
	if (arg_is(a, "CHARSET")) {
		if (!search_charset(s, &a[1], &charset))
			return;
		a += 2;
	}
	key = search_parse(s, a, charset);
	if (key)
		search(&r, key);
}
