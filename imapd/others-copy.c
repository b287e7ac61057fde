/*
 * COPY and MOVE between folders of different users: the messages are read from
 * the one and appended to the other, all of them or none. They follow one another
 * without a question for each: some are fetched with one command, and only the
 * first literal waits to be accepted. A MOVE removes them only after they are
 * durable there; what another session does to them meanwhile can leave one in
 * both, never in none.
 */

#include "base/err.h"
#include "imapd/commands.h"
#include "imapd/date.h"
#include "imapd/flags.h"
#include "imapd/others-copy.h"
#include "imapd/quota.h"
#include "imapd/set.h"
#include "imapd/update.h"
#include "mailbox/append.h"

#define NAME_MAX_BYTES 65536

/* The head that was read, as APPEND has it: flags and date. */
static bool begin_here(struct copying *c)
{
	struct args_limits limits = { .depth = 2, .args = 1000, .utf8 = true };
	struct flags f = { .flags = 0 };
	int64_t received = -1;
	const char *why;
	const struct arg *a;

	arena_reset(c->scratch);
	a = args_parse(c->scratch, c->head.data, c->head.len, &limits, &why);
	if (!a || a->type != ARG_LIST || flags_parse(a->list, &f) ||
	    !arg_astring(&a[1]) || !date_parse_time(a[1].s, &received))
		return copying_failed(c, ERR_SYNTAX);
	return copying_failed(c, append_begin(c->append, f.flags, f.keyword,
					      f.nkeywords, received));
}

static bool write_here(struct copying *c, size_t i)
{
	struct quota_change more = { .to = c->name, .messages = i + 1 };

	c->taken += c->text.len;
	more.bytes = c->taken;
	if (!quota_allows(&c->s->quota, &c->usage, &more, 0))
		return copying_refused(c, QUOTA_OVER);
	return begin_here(c) &&
	       copying_failed(
		       c, append_write(c->append, c->text.data, c->text.len));
}

/* Responses to an APPEND, up to where it wants more, or ends. */
static enum visit_reply append_reply(struct copying *c)
{
	enum visit_reply reply;

	while ((reply = visit_read(c->to)) == VISIT_LINE)
		others_pass_line(c->s, c->to);
	return reply;
}

/* The APPEND begins, and the first message, which is to be accepted. */
static bool begin_there(struct copying *c)
{
	struct stream *io = c->to->io;
	enum visit_reply reply;
	struct buf b;

	buf_init(&b, NAME_MAX_BYTES);
	session_put_name(c->s, &b, c->name);
	c->sending = true;
	stream_printf(io, VISIT_TAG " APPEND %s %s {%zu}\r\n", b.data,
		      c->head.data, c->text.len);
	buf_free(&b);
	reply = append_reply(c);
	return reply == VISIT_PLUS || copying_not_taken(c, reply);
}

/* The other side has nothing to say while messages come, but that it does not
 * want any more; then it is in the midst of one. */
static bool is_wanted(struct copying *c)
{
	enum visit_reply reply = VISIT_LINE;

	while (reply == VISIT_LINE && visit_has_come(c->to)) {
		reply = visit_read(c->to);
		if (reply == VISIT_LINE)
			others_pass_line(c->s, c->to);
	}
	if (reply == VISIT_LINE)
		return true;
	copying_not_taken(c, reply);
	c->sending = true;
	return false;
}

static bool write_there(struct copying *c, size_t i)
{
	struct stream *io = c->to->io;

	if (i == 0 ? !begin_there(c) : !is_wanted(c))
		return false;
	if (i > 0)
		stream_printf(io, " %s {%zu+}\r\n", c->head.data, c->text.len);
	stream_put(io, c->text.data, c->text.len);
	return true;
}

static bool end_there(struct copying *c)
{
	stream_puts(c->to->io, "\r\n");
	return copying_added(c, append_reply(c));
}

static bool end_here(struct copying *c)
{
	const struct quota_change more = { .to = c->name,
					   .messages = c->n,
					   .bytes = c->taken };
	struct folder_id id;
	bool fits, good;

	if (!copying_failed(c, quota_claim(c->s, &more, &fits)))
		return false;
	if (!fits)
		return copying_refused(c, QUOTA_OVER);
	good = copying_failed(c, append_commit(c->append, &c->uidvalidity,
					       &c->first, &id));
	quota_release(c->s);
	if (!good)
		return false;
	session_added(c->s, id, c->first, c->first + (uint32_t)c->n - 1);
	return true;
}

static bool transfer(struct copying *c)
{
	for (size_t i = 0; i < c->n; i++) {
		if (!source_read(c, i) ||
		    !(c->to ? write_there(c, i) : write_here(c, i)))
			return false;
	}
	if (!source_end(c))
		return false;
	return c->to ? end_there(c) : end_here(c);
}

static void put_copyuid(struct copying *c, struct buf *b)
{
	uint32_t *to = arena_alloc(c->s->c.arena, (c->n + 1) * sizeof(*to));

	for (size_t i = 0; i < c->n; i++)
		to[i] = c->first + (uint32_t)i;
	buf_printf(b, "[COPYUID %u ", c->uidvalidity);
	set_put(b, c->uid, c->n);
	buf_putc(b, ' ');
	set_put(b, to, c->n);
	buf_puts(b, "] ");
}

/* RFC 6851 section 4.3: COPYUID comes before the EXPUNGEs. */
static void finish(struct copying *c)
{
	struct session *s = c->s;
	struct buf b;

	buf_init(&b, 64 << 20);
	put_copyuid(c, &b);
	if (!c->move) {
		session_reply(s, "OK %sCopy completed.", b.data);
	} else {
		conn_put(&s->c, "* OK %sMoved.", b.data);
		if (source_remove(c))
			update_reply_removed(s, "Move completed.");
	}
	buf_free(&b);
}

static bool begin(struct copying *c)
{
	if (!source_may_remove(c) || !source_find(c))
		return false;
	if (c->n == 0 || c->to)
		return true;
	return copying_failed(c,
			      append_new(c->s->store, c->name, &c->append)) &&
	       copying_failed(c, quota_usage(c->s, &c->usage));
}

void others_copy(struct session *s, struct visit *from, struct visit *to,
		 const char *name, bool move)
{
	struct copying c = {
		.s = s, .from = from, .to = to, .name = name, .move = move
	};

	copying_begin(&c);
	if (begin(&c) && c.n == 0) {
		session_reply(s, "OK No messages found.");
		c.told = true;
	} else if (!c.told && c.n > 0 && transfer(&c)) {
		finish(&c);
	}
	copying_end(&c);
}
