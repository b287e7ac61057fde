/*
 * One client's connection. The reader (reader.h) is fed with input and says
 * where a command ends; here its tag is found and it is split into arguments,
 * literals are accepted or refused, and replies go out. An unacceptable
 * command is answered and skipped, up to a limit: if it is more than twice as
 * long as allowed, the connection ends.
 *
 * Messages are the only literals that are not read here, as they may be larger
 * than memory: the command reads them itself.
 */
#include "imapd/conn.h"

#include <stdarg.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "server/shed.h"

#define TAG_MAX 128
#define MORE_MAX 65536
#define SKIP_MAX (256LL << 20) /* of a literal sent without being accepted */

/* Commands that take messages, and the arguments before the first. */
static const struct {
	const char *name;
	size_t before;
} streaming[] = {
	{ "APPEND", 1 },
	{ "REPLACE", 2 },
};

#define ROWS (sizeof(streaming) / sizeof(streaming[0]))

void conn_init(struct conn *c, struct stream *io, size_t max)
{
	memset(c, 0, sizeof(*c));
	c->io = io;
	c->arena = arena_new();
	reader_init(&c->reader, max);
	buf_init(&c->ahead, 1 << 20);
}

void conn_free(struct conn *c)
{
	reader_free(&c->reader);
	buf_free(&c->ahead);
	arena_free(&c->arena);
	stream_free(&c->io);
}

void conn_prepend(struct conn *c, const char *data, size_t n)
{
	buf_put(&c->ahead, data, n);
}

const char *conn_window(struct conn *c, size_t *n)
{
	if (c->ahead.len == 0)
		return stream_window(c->io, n);
	*n = c->ahead.len;
	return c->ahead.data;
}

void conn_consume(struct conn *c, size_t n)
{
	if (c->ahead.len > 0)
		buf_consume(&c->ahead, n);
	else
		stream_consume(c->io, n);
}

enum conn_result conn_fill(struct conn *c)
{
	/* a dripping client is never silent long enough for the stream to
	 * look */
	switch (shed_is_due() ? ERR_STOPPING : stream_fill(c->io)) {
	case ERR_OK:
		return CONN_COMMAND;
	case ERR_TIMEOUT:
		return CONN_TIMEOUT;
	case ERR_STOPPING:
		return CONN_STOPPING;
	default:
		return CONN_END;
	}
}

enum conn_result conn_look(struct conn *c)
{
	enum conn_result got;

	stream_set_deadline(c->io, 1); /* long ago */
	got = conn_fill(c);
	stream_set_deadline(c->io, 0);
	return got;
}

bool conn_deflate(struct conn *c)
{
	bool good = stream_deflate(c->io, c->ahead.data, c->ahead.len);

	if (good)
		buf_reset(&c->ahead);
	return good;
}

void conn_put(struct conn *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	stream_vprintf(c->io, fmt, ap);
	va_end(ap);
	stream_puts(c->io, "\r\n");
}

void conn_cut(struct conn *c, const char *why)
{
	conn_put(c, "* BYE %s", why);
	stream_hang_up(c->io);
}

void conn_reply(struct conn *c, const char *fmt, ...)
{
	struct buf line;
	va_list ap;

	if (c->answered)
		return;
	buf_init(&line, 1 << 20);
	buf_printf(&line, "%s ", c->tag);
	va_start(ap, fmt);
	buf_vprintf(&line, fmt, ap);
	va_end(ap);
	buf_puts(&line, "\r\n");
	stream_put(c->io, line.data, line.len);
	c->answered = true;
	if (strncmp(fmt, "BAD", 3) != 0)
		c->bad = 0;
	buf_free(&line);
}

bool conn_bad(struct conn *c, const char *why)
{
	c->bad++;
	conn_reply(c, "BAD %s", why);
	return false;
}

static enum conn_result bad(struct conn *c, const char *why)
{
	conn_bad(c, why);
	return CONN_BAD;
}

/* A tag holds no byte that would spoil the reply (RFC 3501 section 9). */
static bool valid_tag(const char *s, size_t n)
{
	size_t i;

	if (n == 0 || n > TAG_MAX)
		return false;
	for (i = 0; i < n; i++)
		if ((!args_atom_byte(s[i]) && s[i] != ']') || s[i] == '+')
			return false;
	return true;
}

/* The tag at the start of TEXT, or "*" if there is no valid one. */
static const char *find_tag(struct conn *c, const char *text, size_t n)
{
	const char *space = memchr(text, ' ', n);
	size_t len = space ? (size_t)(space - text) : n;

	return valid_tag(text, len) ? arena_strndup(c->arena, text, len) : "*";
}

/* The word of TEXT, END at *P, which is moved behind it; its length. */
static size_t next_word(const char **p, const char *end)
{
	const char *space = memchr(*p, ' ', (size_t)(end - *p));
	size_t n = (size_t)((space ? space : end) - *p);

	*p = space ? space + 1 : end;
	return n;
}

/* Is the command in TEXT one of `streaming`? *BEFORE is then the number of
 * arguments before the first message, with those that UID takes. */
static bool is_streaming(const struct conn *c, const char *text, size_t n,
			 size_t *before)
{
	const char *p = text, *end = text + n, *name;
	size_t i, len;

	next_word(&p, end);
	name = p;
	len = next_word(&p, end);
	*before = str_span_is(name, len, "UID");
	if (*before) {
		name = p;
		len = next_word(&p, end);
	}
	for (i = 0; c->streams && i < ROWS; i++)
		if (str_span_is(name, len, streaming[i].name)) {
			*before += streaming[i].before;
			return true;
		}
	return false;
}

static struct arg *parse(struct conn *c, const char *text, size_t n, bool flat,
			 const char **why)
{
	struct args_limits limits = c->limits;

	limits.flat = flat;
	return args_parse(c->arena, text, n, &limits, why);
}

static bool split(struct conn *c, size_t n, bool flat, const char **why)
{
	struct arg *all;

	c->tag = find_tag(c, c->reader.text.data, n);
	all = parse(c, c->reader.text.data, n, flat, why);
	if (!all)
		return false;
	if (strcmp(c->tag, "*") == 0) {
		*why = "Invalid tag";
		return false;
	}
	if (all[1].type != ARG_ATOM) {
		*why = "Missing command";
		return false;
	}
	c->name = all[1].s;
	c->args = all + 2;
	return true;
}

/* How much of the text comes before the literal that it announces: "{n}" or
 * "~{n}". */
static size_t before_literal(struct conn *c)
{
	const struct buf *t = &c->reader.text;
	const char *brace = memrchr(t->data, '{', t->len);

	c->literal8 = brace > t->data && brace[-1] == '~';
	return (size_t)(brace - t->data) - c->literal8;
}

/* Is the literal at the end of the text for the command itself? It is if the
 * arguments that come before messages are there. */
static bool is_message(struct conn *c)
{
	size_t n = before_literal(c), before;
	const char *why;

	return is_streaming(c, c->reader.text.data, n, &before) &&
	       split(c, n, true, &why) && args_count(c->args) >= before;
}

/* A command that the reader gave up. */
static enum conn_result failed(struct conn *c, const char *why)
{
	c->tag = find_tag(c, c->reader.start, strlen(c->reader.start));
	return bad(c, why);
}

/* Nobody sends such a literal unasked who knows what we announce (RFC 7888
 * section 5). */
static bool came_unasked(const struct conn *c)
{
	return c->nonsync_max > 0 && c->reader.nonsync &&
	       c->reader.literal > c->nonsync_max;
}

static enum conn_result announce(struct conn *c)
{
	if (came_unasked(c)) {
		reader_refuse(&c->reader, READER_TOO_LONG);
		return CONN_BAD;
	}
	if (is_message(c)) {
		c->literal = true;
		return CONN_COMMAND;
	}
	c->tag = find_tag(c, c->reader.text.data, c->reader.text.len);
	if (reader_accept(&c->reader)) {
		if (!c->reader.nonsync && !c->relayed)
			stream_puts(c->io, "+ OK\r\n");
		return CONN_BAD;
	}
	if (!c->reader.nonsync)
		return bad(c, "[TOOBIG] Literal too large");
	return CONN_BAD;
}

static enum conn_result complete(struct conn *c)
{
	const struct buf *t = &c->reader.text;
	const char *why = "";
	size_t before;
	bool flat = is_streaming(c, t->data, t->len, &before);

	if (!split(c, t->len, flat, &why))
		return bad(c, why);
	return CONN_COMMAND;
}

void conn_rest(struct conn *c)
{
	arena_reset(c->arena);
	reader_reset(&c->reader);
	c->tag = "*";
	c->name = "";
	c->args = NULL;
	c->literal = c->answered = false;
	c->skipped = 0;
}

/* Feeds the available input; READER_MORE when all of it is taken. */
static enum reader_result feed(struct conn *c)
{
	enum reader_result result;
	size_t n, used;
	const char *data = conn_window(c, &n);

	result = reader_feed(&c->reader, data, n, &used);
	conn_consume(c, used);
	if (c->reader.state == READER_SKIP_LINE ||
	    c->reader.state == READER_SKIP_LITERAL)
		c->skipped += used;
	return result;
}

/* More of a command, which may already be given up: then a bit more than its
 * limit may still come before the connection ends. */
static enum conn_result more(struct conn *c)
{
	if (c->skipped > (uint64_t)c->reader.text.max + MORE_MAX) {
		conn_cut(c, "Command too long");
		return CONN_END;
	}
	return conn_fill(c);
}

enum conn_result conn_read(struct conn *c)
{
	enum conn_result got;

	conn_rest(c);
	for (;;) {
		switch (feed(c)) {
		case READER_DONE:
			return complete(c);
		case READER_LITERAL:
			got = announce(c);
			if (got == CONN_COMMAND || c->answered)
				return got;
			break;
		case READER_TOO_LONG:
			return failed(c, "[TOOBIG] Command too long");
		case READER_SYNTAX:
			return failed(c, "Invalid byte in command");
		case READER_MORE:
			got = more(c);
			if (got != CONN_COMMAND)
				return got;
			break;
		}
	}
}

void conn_accept_literal(struct conn *c)
{
	if (!c->reader.nonsync)
		stream_puts(c->io, "+ OK\r\n");
}

bool conn_skip_literal(struct conn *c)
{
	if (c->reader.literal > SKIP_MAX && c->reader.nonsync) {
		conn_cut(c, "[TOOBIG] Literal too large");
		return false;
	}
	reader_refuse(&c->reader, READER_DONE);
	if (!c->reader.nonsync)
		return true;
	while (feed(c) == READER_MORE)
		if (conn_fill(c) != CONN_COMMAND)
			return false;
	return true;
}

bool conn_more(struct conn *c, size_t *from)
{
	enum reader_result result;

	reader_taken(&c->reader);
	*from = c->reader.text.len;
	while ((result = feed(c)) == READER_MORE)
		if (more(c) != CONN_COMMAND)
			return false;
	c->literal = result == READER_LITERAL;
	return c->literal || result == READER_DONE;
}

bool conn_more_args(struct conn *c, const char **why)
{
	size_t from, end;

	*why = "The rest of the command is invalid.";
	if (!conn_more(c, &from))
		return false;
	end = c->literal ? before_literal(c) : c->reader.text.len;
	c->args = parse(c, c->reader.text.data + from, end - from, true, why);
	return c->args != NULL;
}
