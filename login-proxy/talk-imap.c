/*
 * IMAP (RFC 3501, 9051): the greeting, STARTTLS, what the host can do, ID with
 * the client's address as Dovecot's proxy sends it, and the login. Each command
 * has its own tag, so a late answer is no other's.
 *
 * The client's reply names what the host can do: it knew what this one can.
 */
#include <string.h>

#include "base/str.h"
#include "login-proxy/talk.h"

#define TAG_STARTTLS "P1"
#define TAG_CAPABILITY "P2"
#define TAG_LOGIN "P4"
#define TAG_AFTER "P5"

enum {
	OFFERS_PLAIN = 1 << 0,
	OFFERS_IR = 1 << 1,
	OFFERS_ID = 1 << 2,
	REFUSES_LOGIN = 1 << 3,
	OFFERS_KNOWN = 1 << 4
};

static const struct {
	const char *word;
	unsigned offer;
} capabilities[] = {
	{ "AUTH=PLAIN", OFFERS_PLAIN },
	{ "SASL-IR", OFFERS_IR },
	{ "ID", OFFERS_ID },
	{ "LOGINDISABLED", REFUSES_LOGIN },
};

/* Answers to a login that are no word about the password. */
static const char *const not_now[] = { "UNAVAILABLE",  "INUSE",
				       "LIMIT",	       "SERVERBUG",
				       "CONTACTADMIN", "PRIVACYREQUIRED" };

/* LIST up to "]" or the end. */
static void note_offers(struct talk *t, const char *list)
{
	size_t n;

	t->offers = OFFERS_KNOWN;
	for (; *(list += strspn(list, " ")) && *list != ']'; list += n) {
		n = strcspn(list, " ]");
		for (size_t i = 0;
		     i < sizeof(capabilities) / sizeof(*capabilities); i++)
			if (str_span_is(list, n, capabilities[i].word))
				t->offers |= capabilities[i].offer;
	}
}

/* What follows WORD in LINE, if that begins with it; or NULL. */
static const char *after(const char *line, const char *word)
{
	return str_starts_ci(line, word) ? line + strlen(word) : NULL;
}

/* What follows TAG and a space. */
static const char *of(const char *line, const char *tag)
{
	const char *rest = after(line, tag);

	return rest && *rest == ' ' ? rest + 1 : NULL;
}

static enum talk_result fault(struct talk *t, const char *text)
{
	return talk_finish(t, TALK_FAULT, text);
}

static enum talk_result refused(struct talk *t, const char *text)
{
	return talk_finish(
		t,
		talk_has_code(text, not_now, sizeof(not_now) / sizeof(*not_now))
			? TALK_REFUSED
			: TALK_WRONG,
		text);
}

static enum talk_result after_login(struct talk *t, const char *line)
{
	const char *list = after(line, "* CAPABILITY ");

	if (list)
		buf_printf(&t->text, "%s OK [CAPABILITY %s] Logged in\r\n",
			   t->facts->tag, list);
	if (!of(line, TAG_AFTER))
		return TALK_MORE;
	if (!t->text.len)
		return fault(t, "it does not say its capabilities");
	return TALK_DONE;
}

/* TEXT is what its OK says. */
static enum talk_result logged_in(struct talk *t, const char *text)
{
	if (str_starts_ci(text, "[CAPABILITY ") || t->text.len) {
		buf_printf(&t->text, "%s OK %s\r\n", t->facts->tag, text);
		return TALK_DONE;
	}
	buf_puts(&t->out, TAG_AFTER " CAPABILITY\r\n");
	return talk_await(t, after_login);
}

static enum talk_result on_login(struct talk *t, const char *line)
{
	const char *rest = of(line, TAG_LOGIN), *text;

	if (*line == '+' && !t->asked) {
		t->asked = true;
		talk_put_plain(t);
		buf_puts(&t->out, "\r\n");
	} else if (*line == '+') {
		buf_puts(&t->out, "*\r\n");
	} else if (after(line, "* CAPABILITY ")) {
		buf_printf(&t->text, "%s\r\n", line);
	} else if (after(line, "* BYE")) {
		return talk_finish(t, TALK_FAULT, line + 2);
	}
	if (!rest)
		return TALK_MORE;
	text = after(rest, "OK ");
	if (text)
		return logged_in(t, text);
	text = after(rest, "NO ");
	return text ? refused(t, text) : fault(t, "it does not take the login");
}

static void quote(struct buf *out, const char *text)
{
	buf_putc(out, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_putc(out, '\\');
		buf_putc(out, *text);
	}
	buf_putc(out, '"');
}

static void put_id(struct talk *t)
{
	if (!*t->facts->client || !(t->offers & OFFERS_ID))
		return;
	buf_printf(&t->out,
		   "P3 ID (\"x-originating-ip\" \"%s\" \"x-proxy-ttl\" "
		   "\"%d\")\r\n",
		   t->facts->client, t->facts->ttl);
}

static enum talk_result log_in(struct talk *t)
{
	const struct talk_facts *f = t->facts;

	put_id(t);
	if (t->offers & OFFERS_PLAIN) {
		buf_puts(&t->out, TAG_LOGIN " AUTHENTICATE PLAIN");
		t->asked = t->offers & OFFERS_IR;
		if (t->asked) {
			buf_putc(&t->out, ' ');
			talk_put_plain(t);
		}
	} else if (!*f->master && !(t->offers & REFUSES_LOGIN) &&
		   talk_is_plain_text(f)) {
		buf_puts(&t->out, TAG_LOGIN " LOGIN ");
		quote(&t->out, f->user);
		buf_putc(&t->out, ' ');
		quote(&t->out, f->password);
		t->asked = true;
	} else {
		return fault(t, "it offers no login with a password");
	}
	buf_puts(&t->out, "\r\n");
	return talk_await(t, on_login);
}

static enum talk_result on_capability(struct talk *t, const char *line)
{
	const char *list = after(line, "* CAPABILITY ");

	if (list)
		note_offers(t, list);
	if (!of(line, TAG_CAPABILITY))
		return TALK_MORE;
	return t->offers ? log_in(t)
			 : fault(t, "it does not say its capabilities");
}

static enum talk_result ask_capability(struct talk *t)
{
	t->offers = 0;
	buf_puts(&t->out, TAG_CAPABILITY " CAPABILITY\r\n");
	return talk_await(t, on_capability);
}

static enum talk_result on_starttls(struct talk *t, const char *line)
{
	const char *rest = of(line, TAG_STARTTLS);

	if (!rest)
		return TALK_MORE;
	if (!after(rest, "OK"))
		return fault(t, "it does not offer STARTTLS");
	return TALK_TLS;
}

static enum talk_result on_greeting(struct talk *t, const char *line)
{
	const char *text = after(line, "* OK"), *list;

	if (!text)
		return fault(t, after(line, "* BYE") ? line + 2
						     : "it is no IMAP server");
	if (t->facts->starttls) {
		buf_puts(&t->out, TAG_STARTTLS " STARTTLS\r\n");
		return talk_await(t, on_starttls);
	}
	list = after(text, " [CAPABILITY ");
	if (!list)
		return ask_capability(t);
	note_offers(t, list);
	return log_in(t);
}

void talk_begin_imap(struct talk *t, const struct talk_facts *f)
{
	*t = (struct talk){ .facts = f,
			    .take = on_greeting,
			    .go_on = ask_capability,
			    .bye = "P6 LOGOUT\r\n" };
	buf_init(&t->out, TALK_TEXT_MAX);
	buf_init(&t->text, 2 * TALK_TEXT_MAX); /* pass.c adds to it */
}
