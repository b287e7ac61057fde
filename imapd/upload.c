#include "imapd/upload.h"

#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "imapd/date.h"
#include "imapd/flags.h"
#include "mime/unbinary.h"

#define BINARY_MAX (1 << 30) /* of a literal8, which is held in memory */

static bool bad(struct upload *u, const char *why)
{
	u->bad = why;
	return false;
}

static bool refuse(struct upload *u, const char *why)
{
	u->no = why;
	return false;
}

static bool good(struct upload *u, int code)
{
	u->code = code;
	return code == ERR_OK;
}

bool upload_begin(struct upload *u, struct session *s, const struct arg *a,
		  const char *name)
{
	*u = (struct upload){ .s = s, .at = a };
	buf_init(&u->binary, BINARY_MAX);
	return good(u, append_new(s->store, name, &u->to));
}

/* "(" flags ")" */
static bool parse_flags(struct upload *u, struct flags *f)
{
	const struct arg *first = ++u->at;
	struct arg *list;
	const char *why;
	size_t n;

	while (u->at->type == ARG_ATOM)
		u->at++;
	if (u->at->type != ARG_CLOSE)
		return bad(u, "Invalid flags.");
	n = (size_t)(u->at++ - first);
	list = arena_alloc(u->s->c.arena, (n + 1) * sizeof(*list));
	memcpy(list, first, n * sizeof(*list));
	list[n].type = ARG_END;
	why = flags_parse(list, f);
	return !why || bad(u, why);
}

/* [flags] [date-time], and begins the message. */
static bool begin_message(struct upload *u)
{
	struct flags f = { .flags = 0 };
	int64_t received = -1;

	if (u->at->type == ARG_OPEN && !parse_flags(u, &f))
		return false;
	if (u->at->type == ARG_STRING) {
		if (!date_parse_time(u->at->s, &received))
			return bad(u, "Invalid date.");
		u->at++;
	}
	u->size = 0;
	return good(u, append_begin(u->to, f.flags, f.keyword, f.nkeywords,
				    received));
}

/* A client sends an empty message if it could not read what it copies; RFC
 * 3502 section 6.3.11 calls it an error. */
static bool check_size(struct upload *u)
{
	struct session *s = u->s;

	u->size += s->c.reader.literal;
	if (u->size == 0)
		return refuse(u, "[CANNOT] The message is empty.");
	if (u->size > (uint64_t)s->message_max ||
	    (s->c.literal8 && u->size > BINARY_MAX))
		return refuse(u, "[TOOBIG] The message is too large.");
	return true;
}

static int take(struct upload *u, const char *data, size_t n)
{
	if (u->s->c.literal8) {
		buf_put(&u->binary, data, n);
		return u->binary.over ? ERR_TOO_LONG : ERR_OK;
	}
	if (memchr(data, '\0', n))
		u->no = "[CANNOT] The message holds a NUL byte.";
	return u->no ? ERR_OK : append_write(u->to, data, n);
}

static int sink(void *context, const void *data, size_t n)
{
	return append_write(context, data, n);
}

/* A literal8 is in memory: its binary parts are kept as base64, since storage
 * and clients know lines. */
static void add_binary(struct upload *u)
{
	const struct buf *b = &u->binary;
	struct arena *a = arena_new();
	const struct mime_part *root = mime_parse(a, b->data, b->len);

	if (mime_is_binary_in_parts(root, b->data, b->len))
		u->code = mime_unbinary(root, b->data, b->len, sink, u->to);
	else
		u->no = "[UNKNOWN-CTE] There is a NUL byte outside of binary "
			"parts.";
	arena_free(&a);
}

/* Moves the literal's bytes. After a failure the rest is still read, so that
 * the connection stays in step. False: the client is gone. */
static bool receive(struct upload *u)
{
	struct conn *c = &u->s->c;
	uint64_t left = c->reader.literal;
	const char *data;
	size_t n;

	while (left > 0) {
		data = conn_window(c, &n);
		if (n == 0) {
			if (conn_fill(c) != CONN_COMMAND)
				return false;
			continue;
		}
		if (n > left)
			n = (size_t)left;
		if (!u->no && u->code == ERR_OK)
			u->code = take(u, data, n);
		conn_consume(c, n);
		left -= n;
	}
	return true;
}

/* The literal at the end of the line, and the line that follows it. */
static bool take_literal(struct upload *u)
{
	struct conn *c = &u->s->c;
	const char *why = NULL;

	if (u->at->type != ARG_END || !c->literal)
		return bad(u, "A literal was expected.");
	if (!check_size(u))
		return false;
	buf_reset(&u->binary);
	conn_accept_literal(c);
	if (!receive(u))
		return bad(u, NULL);
	if (c->literal8 && u->code == ERR_OK)
		add_binary(u);
	if (!conn_more_args(c, &why))
		return bad(u, why);
	u->at = c->args;
	return !u->no && u->code == ERR_OK;
}

/* "UTF8 (" literal8 ")": RFC 6855 section 4. */
static bool take_utf8(struct upload *u)
{
	if (!arg_is(u->at, "UTF8"))
		return take_literal(u);
	if (u->at[1].type != ARG_OPEN || !u->s->c.literal8)
		return bad(u, "UTF8 takes a literal8 in parentheses.");
	u->at += 2;
	if (!take_literal(u))
		return false;
	if (u->at->type != ARG_CLOSE)
		return bad(u, "A parenthesis is missing.");
	u->at++;
	return true;
}

bool upload_message(struct upload *u)
{
	if (!begin_message(u) || !take_utf8(u))
		return false;
	u->count++;
	return true;
}

bool upload_is_over(const struct upload *u)
{
	return u->at->type == ARG_END && !u->s->c.literal;
}

void upload_fail(struct upload *u)
{
	struct session *s = u->s;

	if (u->no)
		session_reply(s, "NO %s", u->no);
	else if (u->code == ERR_NOT_FOUND)
		session_reply(s, "NO [TRYCREATE] No such mailbox.");
	else if (u->code != ERR_OK)
		session_fail(s, u->code);
	else
		conn_bad(&s->c, u->bad ? u->bad : "The connection is lost.");
}

void upload_end(struct upload *u)
{
	append_free(&u->to);
	buf_free(&u->binary);
}
