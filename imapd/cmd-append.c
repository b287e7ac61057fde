/*
 * APPEND: the message goes from the connection to the mailbox piece by piece
 * and is never held in memory.
 */
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "imapd/commands.h"
#include "imapd/date.h"
#include "imapd/flags.h"
#include "mailbox/append.h"

struct options {
	struct flags flags;
	int64_t received; /* -1: now */
};

/* [flags] [date-time] after the name. */
static const char *parse_options(const struct arg *a, struct options *o)
{
	const char *why;

	o->received = -1;
	o->flags.flags = 0;
	o->flags.nkeywords = 0;
	if (a->type == ARG_LIST) {
		struct arg list[2] = { *a, { .type = ARG_END } };

		why = flags_parse(list, &o->flags);
		if (why)
			return why;
		a++;
	}
	if (a->type == ARG_STRING) {
		if (!date_parse_time(a->s, &o->received))
			return "Invalid date.";
		a++;
	}
	return a->type == ARG_END ? NULL : "Unexpected argument.";
}

/* Moves the literal's bytes. On an error of the mailbox the rest is still
 * read, so that the connection stays in step. False: the client is gone. */
static bool receive(struct session *s, struct append *a, int *code)
{
	uint64_t left = s->c.reader.literal;
	const char *data;
	size_t n;

	while (left > 0) {
		data = conn_window(&s->c, &n);
		if (n == 0) {
			if (conn_fill(&s->c) != CONN_COMMAND)
				return false;
			continue;
		}
		if (n > left)
			n = (size_t)left;
		if (*code == ERR_OK && memchr(data, '\0', n))
			*code = ERR_SYNTAX;
		if (*code == ERR_OK)
			*code = append_write(a, data, n);
		conn_consume(&s->c, n);
		left -= n;
	}
	return true;
}

static void commit(struct session *s, struct append *a)
{
	uint32_t uidvalidity, uid;
	struct folder_id folder;
	int code = append_commit(a, &uidvalidity, &uid, &folder);

	if (code != ERR_OK) {
		session_fail(s, code);
		return;
	}
	session_added(s, folder, uid);
	session_reply(s, "OK [APPENDUID %u %u] Append completed.", uidvalidity,
		      uid);
}

static void take_message(struct session *s, struct append *a)
{
	int code = ERR_OK;

	conn_accept_literal(&s->c);
	if (!receive(s, a, &code) || !conn_end_append(&s->c)) {
		conn_bad(&s->c, "Nothing may follow the message.");
		return;
	}
	if (code == ERR_SYNTAX)
		session_reply(s, "NO [CANNOT] The message holds a NUL byte.");
	else if (code != ERR_OK)
		session_fail(s, code);
	else
		commit(s, a);
}

/* A client sends an empty message if it could not read what it copies; RFC
 * 3502 section 6.3.11 calls it an error. */
static bool has_good_size(struct session *s)
{
	uint64_t size = s->c.reader.literal;

	if (size == 0)
		session_reply(s, "NO [CANNOT] The message is empty.");
	else if (s->message_max > 0 && size > (uint64_t)s->message_max)
		session_reply(s, "NO [TOOBIG] The message is too large.");
	else
		return true;
	return false;
}

/* The literal is refused by the session if nothing here takes it. */
void cmd_append(struct session *s)
{
	struct append *a = NULL;
	struct options o;
	char name[FOLDER_NAME_SIZE];
	const char *why = parse_options(&s->c.args[1], &o);
	int code;

	if (!s->c.literal)
		why = "APPEND takes a literal.";
	if (why) {
		conn_bad(&s->c, why);
		return;
	}
	if (!session_name(s, &s->c.args[0], name) || !has_good_size(s))
		return;
	code = append_new(s->store, name, &a);
	if (code == ERR_OK)
		code = append_begin(a, o.flags.flags, o.flags.keyword,
				    o.flags.nkeywords, o.received);
	if (code == ERR_NOT_FOUND)
		session_reply(s, "NO [TRYCREATE] No such mailbox.");
	else if (code != ERR_OK)
		session_fail(s, code);
	else
		take_message(s, a);
	append_free(&a);
}
