/*
 * POP3 (RFC 1939, 2449, 2595, 5034): the greeting, STLS, CAPA, XCLIENT with the
 * client's address as Dovecot's proxy sends it, and the login.
 */
#include <string.h>

#include "base/str.h"
#include "login-proxy/talk.h"

#define LINE_MAX_BYTES 255 /* RFC 2449 section 4 */

enum { OFFERS_PLAIN = 1 << 0, OFFERS_XCLIENT = 1 << 1, OFFERS_CAPA = 1 << 2 };

/* Answers to a login that are no word about the password. */
static const char *const not_now[] = { "IN-USE", "LOGIN-DELAY", "SYS/TEMP",
				       "SYS/PERM" };

/* The text of a reply, if it is LINE that begins with WORD; or NULL. */
static const char *text_of(const char *line, const char *word)
{
	size_t n = strlen(word);

	if (!str_starts_ci(line, word) || (line[n] && line[n] != ' '))
		return NULL;
	return line + n + strspn(line + n, " ");
}

static enum talk_result fault(struct talk *t, const char *text)
{
	return talk_finish(t, TALK_FAULT, text);
}

static enum talk_result on_login(struct talk *t, const char *line)
{
	const char *text = text_of(line, "-ERR");

	if (text)
		return talk_finish(
			t,
			talk_has_code(text, not_now,
				      sizeof(not_now) / sizeof(*not_now))
				? TALK_REFUSED
				: TALK_WRONG,
			text);
	if (text_of(line, "+OK")) {
		buf_printf(&t->text, "%s\r\n", line);
		return TALK_DONE;
	}
	if (!text_of(line, "+"))
		return fault(t, "it does not take the login");
	if (t->asked) {
		buf_puts(&t->out, "*\r\n");
		return TALK_MORE;
	}
	t->asked = true;
	talk_put_plain(t);
	buf_puts(&t->out, "\r\n");
	return TALK_MORE;
}

static enum talk_result on_user(struct talk *t, const char *line)
{
	if (!text_of(line, "+OK"))
		return on_login(t, line);
	t->asked = true;
	buf_printf(&t->out, "PASS %s\r\n", t->facts->password);
	return talk_await(t, on_login);
}

static enum talk_result log_in_plainly(struct talk *t)
{
	if (*t->facts->master || !talk_is_plain_text(t->facts))
		return fault(t, "it does not offer SASL PLAIN");
	buf_printf(&t->out, "USER %s\r\n", t->facts->user);
	return talk_await(t, on_user);
}

static enum talk_result log_in(struct talk *t)
{
	static const char command[] = "AUTH PLAIN ";
	size_t n = strlen(command);

	if (!(t->offers & OFFERS_PLAIN))
		return log_in_plainly(t);
	buf_puts(&t->out, command);
	talk_put_plain(t);
	t->asked = t->out.len + 2 <= LINE_MAX_BYTES;
	if (!t->asked)
		buf_truncate(&t->out, n - 1);
	buf_puts(&t->out, "\r\n");
	return talk_await(t, on_login);
}

/* Whether it believes us is its business. */
static enum talk_result on_xclient(struct talk *t, const char *line)
{
	(void)line;
	return log_in(t);
}

static enum talk_result introduce(struct talk *t)
{
	if (!(t->offers & OFFERS_XCLIENT) || !*t->facts->client)
		return log_in(t);
	buf_printf(&t->out, "XCLIENT ADDR=%s TTL=%d\r\n", t->facts->client,
		   t->facts->ttl);
	return talk_await(t, on_xclient);
}

static void note_offer(struct talk *t, const char *line)
{
	const char *list = text_of(line, "SASL");
	size_t n;

	for (; list && *list; list += n + strspn(list + n, " ")) {
		n = strcspn(list, " ");
		if (str_span_is(list, n, "PLAIN"))
			t->offers |= OFFERS_PLAIN;
	}
}

static enum talk_result on_capa(struct talk *t, const char *line)
{
	if (!(t->offers & OFFERS_CAPA)) {
		t->offers |= OFFERS_CAPA;
		return text_of(line, "+OK") ? TALK_MORE : introduce(t);
	}
	if (strcmp(line, ".") == 0)
		return introduce(t);
	note_offer(t, line);
	return TALK_MORE;
}

static enum talk_result ask_capa(struct talk *t)
{
	buf_puts(&t->out, "CAPA\r\n");
	return talk_await(t, on_capa);
}

static enum talk_result on_stls(struct talk *t, const char *line)
{
	return text_of(line, "+OK") ? TALK_TLS
				    : fault(t, "it does not offer STLS");
}

static enum talk_result on_greeting(struct talk *t, const char *line)
{
	const char *text = text_of(line, "+OK");

	if (!text)
		return fault(t, text_of(line, "-ERR") ? line
						      : "it is no POP3 server");
	if (strstr(text, "[XCLIENT]"))
		t->offers |= OFFERS_XCLIENT;
	if (!t->facts->starttls)
		return ask_capa(t);
	buf_puts(&t->out, "STLS\r\n");
	return talk_await(t, on_stls);
}

void talk_begin_pop3(struct talk *t, const struct talk_facts *f)
{
	*t = (struct talk){ .facts = f,
			    .take = on_greeting,
			    .go_on = ask_capa,
			    .bye = "QUIT\r\n" };
	buf_init(&t->out, TALK_TEXT_MAX);
	buf_init(&t->text, 2 * TALK_TEXT_MAX); /* pass.c adds to it */
}
