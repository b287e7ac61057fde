/*
 * One command with messages: its arguments are read from one literal to the
 * next, and each literal goes straight on to the mailbox, so that no message is
 * in memory but one of a literal8. Limits (size, number, quota) are looked at
 * before a literal is accepted; nothing is in the folder before the last has
 * come.
 */
#include "imapd/upload.h"

#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "imapd/date.h"
#include "imapd/flags.h"
#include "imapd/quota.h"
#include "imapd/rights.h"
#include "mime/unbinary.h"

#define BINARY_MAX (1 << 30) /* of a literal8, which is held in memory */

bool upload_bad(struct upload *u, const char *why)
{
	u->bad = why;
	return false;
}

bool upload_refuse(struct upload *u, const char *why)
{
	u->no = why;
	return false;
}

bool upload_failed(struct upload *u, int code)
{
	u->code = code;
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
	*u = (struct upload){ .s = s, .name = name, .at = a };
	buf_init(&u->binary, BINARY_MAX);
	return good(u, append_new(s->store, name, &u->to)) &&
	       good(u, rights_find(s, name, &u->rights)) &&
	       good(u, quota_usage(s, &u->usage));
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
		return upload_bad(u, "Invalid flags.");
	n = (size_t)(u->at++ - first);
	list = arena_alloc(u->s->c.arena, (n + 1) * sizeof(*list));
	memcpy(list, first, n * sizeof(*list));
	list[n].type = ARG_END;
	why = flags_parse(list, f);
	return !why || upload_bad(u, why);
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
			return upload_bad(u, "Invalid date.");
		u->at++;
	}
	u->size = 0;
	/* what the client has no right to is left out (RFC 4314 section 4) */
	if (!(u->rights & ACL_WRITE))
		f.nkeywords = 0;
	return good(u, append_begin(u->to, f.flags & rights_flags(u->rights),
				    f.keyword, f.nkeywords, received));
}

static bool count(struct upload *u, uint64_t n)
{
	struct quota_change c = { .to = u->name,
				  .messages = u->count + (u->freed == 0) };
	uint64_t all;

	u->size += n;
	if (u->size > (uint64_t)u->s->message_max)
		return upload_refuse(u, UPLOAD_TOO_BIG);
	all = u->taken + u->size;
	c.bytes = all > u->freed ? all - u->freed : 0;
	return quota_allows(&u->s->quota, &u->usage, &c, 0) ||
	       upload_refuse(u, QUOTA_OVER);
}

static bool check_size(struct upload *u)
{
	struct session *s = u->s;

	if (u->held && s->c.reader.literal > BINARY_MAX)
		return upload_refuse(u, UPLOAD_TOO_BIG);
	return count(u, s->c.reader.literal);
}

static int take(struct upload *u, const char *data, size_t n)
{
	if (u->held) {
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

/* The literal8 is in memory: its binary parts are kept as base64, since storage
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

/* The literal8 is a part of a message in UTF-8. */
static bool add_text(struct upload *u)
{
	const struct buf *b = &u->binary;

	if (memchr(b->data, '\0', b->len))
		return upload_refuse(u, "[UNKNOWN-CTE] A part holds a NUL "
					"byte.");
	return good(u, append_write(u->to, b->data, b->len));
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

/* The literal at the end of the line, and the line that follows it. With HELD
 * it goes to u->binary, else to the message. */
static bool take_literal(struct upload *u, bool held)
{
	struct conn *c = &u->s->c;
	const char *why = NULL;

	if (u->at->type != ARG_END || !c->literal)
		return upload_bad(u, "A literal was expected.");
	u->held = held;
	if (!check_size(u))
		return false;
	buf_reset(&u->binary);
	conn_accept_literal(c);
	if (!receive(u))
		return upload_bad(u, NULL);
	if (!conn_more_args(c, &why))
		return upload_bad(u, why);
	u->at = c->args;
	return !u->no && u->code == ERR_OK;
}

bool upload_write(struct upload *u, const char *data, size_t n)
{
	return count(u, n) && good(u, append_write(u->to, data, n));
}

bool upload_text(struct upload *u)
{
	if (u->s->c.literal8)
		return upload_bad(u, "A part is no literal8.");
	return take_literal(u, false);
}

bool upload_string(struct upload *u, size_t max, const char **text)
{
	uint64_t before = u->size;

	if (u->s->c.reader.literal > max)
		return upload_refuse(u, "[CANNOT] Too long.");
	if (!take_literal(u, true))
		return false;
	u->size = before;
	*text = arena_strndup(u->s->c.arena, u->binary.data, u->binary.len);
	return true;
}

/* A message in one literal or literal8. */
static bool take_whole(struct upload *u)
{
	bool binary = u->s->c.literal8;

	if (!take_literal(u, binary))
		return false;
	if (binary)
		add_binary(u);
	return !u->no && u->code == ERR_OK;
}

bool upload_utf8(struct upload *u, bool whole)
{
	if (u->at[1].type != ARG_OPEN || !u->s->c.literal8)
		return upload_bad(u, "UTF8 takes a literal8 in parentheses.");
	u->at += 2;
	if (whole ? !take_whole(u) : !take_literal(u, true) || !add_text(u))
		return false;
	if (u->at->type != ARG_CLOSE)
		return upload_bad(u, "A parenthesis is missing.");
	u->at++;
	return true;
}

/* A client sends an empty message if it could not read what it copies; RFC
 * 3502 section 6.3.11 calls it an error. */
static bool take_data(struct upload *u)
{
	if (arg_is(u->at, "CATENATE"))
		return upload_parts(u);
	if (u->s->c.literal && u->s->c.reader.literal == 0)
		return upload_refuse(u, UPLOAD_EMPTY);
	if (arg_is(u->at, "UTF8"))
		return upload_utf8(u, true);
	return take_whole(u);
}

bool upload_message(struct upload *u)
{
	if (!begin_message(u) || !take_data(u))
		return false;
	u->count++;
	u->taken += u->size;
	return true;
}

/* While it came, other sessions may have filled the mailbox. */
bool upload_commit(struct upload *u, uint32_t *uidvalidity, uint32_t *first,
		   struct folder_id *folder)
{
	struct quota_change c = {
		.to = u->name,
		.messages = u->count - (u->freed > 0),
		.bytes = u->taken > u->freed ? u->taken - u->freed : 0
	};
	bool fits;

	if (!good(u, quota_claim(u->s, &c, &fits)))
		return false;
	if (!fits)
		return upload_refuse(u, QUOTA_OVER);
	u->code = append_commit(u->to, uidvalidity, first, folder);
	quota_release(u->s);
	return u->code == ERR_OK;
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
