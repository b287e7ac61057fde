/*
 * XCLIENT, as Postfix has it: a host in smtpd_authorized_xclient_hosts, such as
 * nginx as a proxy of mail, says for whom it speaks. The session then begins
 * anew, as if that client had connected.
 *
 * Values are in xtext, or [UNAVAILABLE] or [TEMPUNAVAIL]. PORT, PROTO, HELO and
 * DESTPORT are taken and not used: the client says EHLO itself.
 */
#include <arpa/inet.h>
#include <string.h>

#include "log/log.h"
#include "smtp/command.h"
#include "smtp/dsn-param.h"

#define VALUE_MAX 256

/* What is said; "" for what is not known or not said. */
struct introduction {
	char addr[VALUE_MAX];
	char name[VALUE_MAX];
	char login[VALUE_MAX];
	char destaddr[VALUE_MAX];
	char other[VALUE_MAX]; /* the rest, of which the last */
};

static const struct {
	const char *name;
	size_t offset;
} attributes[] = {
#define ROW(name, field) { name, offsetof(struct introduction, field) }
	ROW("ADDR=", addr),	    ROW("NAME=", name),
	ROW("LOGIN=", login),	    ROW("DESTADDR=", destaddr),
	ROW("PORT=", other),	    ROW("PROTO=", other),
	ROW("HELO=", other),	    ROW("DESTPORT=", other),
};

static bool read_value(const char *text, char out[VALUE_MAX])
{
	struct buf plain;
	bool good;

	*out = '\0';
	if (str_equal_ci(text, "[UNAVAILABLE]") ||
	    str_equal_ci(text, "[TEMPUNAVAIL]"))
		return true;
	buf_init(&plain, VALUE_MAX);
	good = smtp_xtext_decode(&plain, text) && !plain.over &&
	       str_copy(out, VALUE_MAX, plain.data);
	buf_free(&plain);
	return good;
}

static bool read_attribute(const char *word, struct introduction *i)
{
	for (size_t n = 0; n < sizeof(attributes) / sizeof(attributes[0]); n++)
		if (str_starts_ci(word, attributes[n].name))
			return read_value(word + strlen(attributes[n].name),
					  (char *)i + attributes[n].offset);
	return false;
}

/* "192.0.2.1" or "IPV6:2001:db8::1" becomes the address alone. */
static bool read_ip(char text[VALUE_MAX])
{
	char *ip = str_starts_ci(text, "IPV6:") ? text + 5 : text;
	unsigned char ignored[16];

	if (!*text)
		return true;
	memmove(text, ip, strlen(ip) + 1);
	return inet_pton(strchr(text, ':') ? AF_INET6 : AF_INET, text,
			 ignored) == 1;
}

static bool read_all(const char *args, struct introduction *i)
{
	struct strlist words = { 0 };
	bool good;

	*i = (struct introduction){ .addr = "" };
	strlist_split(&words, args);
	good = words.n > 0;
	for (size_t n = 0; good && n < words.n; n++)
		good = read_attribute(words.item[n], i);
	strlist_free(&words);
	return good && read_ip(i->addr) && read_ip(i->destaddr);
}

/* The login that was checked by the proxy. False, with the reply. */
static bool take_login(struct smtp_session *s, const char *name)
{
	struct account a;

	*s->login = '\0';
	if (!*name)
		return true;
	switch (account_lookup_login(name, &a)) {
	case ACCOUNT_FOUND:
		return str_copy(s->login, sizeof(s->login), a.user);
	case ACCOUNT_NONE:
		smtp_say(s, "501 5.5.4 XCLIENT: no such user");
		return false;
	case ACCOUNT_TEMP:
		break;
	}
	smtp_say(s, "451 4.3.0 XCLIENT: Temporary lookup failure");
	return false;
}

static void become(struct smtp_session *s, const struct introduction *i)
{
	if (*i->addr)
		str_copy(s->client, sizeof(s->client), i->addr);
	if (*i->destaddr)
		str_copy(s->local, sizeof(s->local), i->destaddr);
	if (*i->name) {
		str_copy(s->client_name, sizeof(s->client_name), i->name);
		smtp_find_trust(s);
		log_info("connect from %s[%s]", s->client_name, s->client);
	} else {
		smtp_find_client(s);
	}
	*s->helo = '\0';
	s->esmtp = false;
	s->fate = INTAKE_ACCEPT;
	*s->why = '\0';
	s->state = SMTP_GREETED;
	smtp_reset(s);
}

void smtp_run_xclient(struct smtp_session *s, char *args)
{
	struct introduction i;

	if (!s->speaks_for_others) {
		smtp_say(s, "550 5.7.0 Error: insufficient authorization");
		return;
	}
	if (!read_all(args, &i)) {
		smtp_say(s, "501 5.5.4 Syntax: XCLIENT attribute=value...");
		return;
	}
	if (!take_login(s, i.login))
		return;
	become(s, &i);
	smtp_meet(s);
	if (!s->over)
		smtp_session_greet(s);
}
