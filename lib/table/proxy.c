#include "table/proxy.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>

#include "base/str.h"

#define TIMEOUT_MAX_S 60

#define BLANKS " \t"

static bool take_yes(const char *value, bool *to)
{
	*to = !*value || str_equal_ci(value, "y") || str_equal_ci(value, "yes");
	return *to;
}

/* A name that can stand in a reply, a log line and a certificate. */
static bool take_host(struct proxy_target *t, const char *value)
{
	return *value &&
	       !value[strspn(value, "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789.-_:")] &&
	       str_copy(t->host, sizeof(t->host), value);
}

static bool is_ip(const char *text)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET, text, bytes) == 1 ||
	       inet_pton(AF_INET6, text, bytes) == 1;
}

static bool take_ip(struct proxy_target *t, const char *value)
{
	return is_ip(value) && str_copy(t->ip, sizeof(t->ip), value);
}

static bool read_port(const char *value, int *to)
{
	int64_t port;

	if (!str_to_int(value, 1, 65535, &port))
		return false;
	*to = (int)port;
	return true;
}

static bool take_port(struct proxy_target *t, const char *value)
{
	return read_port(value, &t->port);
}

static bool take_imap_port(struct proxy_target *t, const char *value)
{
	return read_port(value, &t->imap_port);
}

static bool take_pop3_port(struct proxy_target *t, const char *value)
{
	return read_port(value, &t->pop3_port);
}

/* WANTED, with a certificate that proves the name, or any. */
static bool take_tls(struct proxy_target *t, const char *value,
		     enum proxy_tls wanted)
{
	bool yes;

	t->tls = wanted;
	t->any_cert = str_equal_ci(value, "any-cert");
	return t->any_cert || take_yes(value, &yes);
}

static bool take_ssl(struct proxy_target *t, const char *value)
{
	if (!str_equal_ci(value, "no"))
		return take_tls(t, value, PROXY_TLS);
	t->tls = PROXY_CLEAR;
	return true;
}

static bool take_starttls(struct proxy_target *t, const char *value)
{
	return take_tls(t, value, PROXY_STARTTLS);
}

static bool take_user(struct proxy_target *t, const char *value)
{
	return *value && str_copy(t->user, sizeof(t->user), value);
}

static bool take_master(struct proxy_target *t, const char *value)
{
	return *value && str_copy(t->master, sizeof(t->master), value);
}

static bool take_pass(struct proxy_target *t, const char *value)
{
	return *value && str_copy(t->pass, sizeof(t->pass), value);
}

static bool take_proxy(struct proxy_target *t, const char *value)
{
	bool yes;

	(void)t;
	return take_yes(value, &yes);
}

static bool take_maybe(struct proxy_target *t, const char *value)
{
	return take_yes(value, &t->maybe);
}

static bool take_nopassword(struct proxy_target *t, const char *value)
{
	return take_yes(value, &t->nopassword);
}

static bool take_not_trusted(struct proxy_target *t, const char *value)
{
	bool yes, good = take_yes(value, &yes);

	t->forwards = false;
	return good;
}

static bool take_timeout(struct proxy_target *t, const char *value)
{
	int64_t s;

	if (!str_to_seconds(value, &s) || s < 1 || s > TIMEOUT_MAX_S)
		return false;
	t->timeout_s = (int)s;
	return true;
}

static const struct {
	const char *name;
	bool (*take)(struct proxy_target *t, const char *value);
	const char *fault;
} words[] = {
	{ "proxy", take_proxy, "proxy wants y, or nothing" },
	{ "proxy_maybe", take_maybe, "proxy_maybe wants y, or nothing" },
	{ "host", take_host, "host is not the name or address of a host" },
	{ "hostip", take_ip, "hostip is not an IP address" },
	{ "port", take_port, "port is not a number from 1 to 65535" },
	{ "imap_port", take_imap_port,
	  "imap_port is not a number from 1 to 65535" },
	{ "pop3_port", take_pop3_port,
	  "pop3_port is not a number from 1 to 65535" },
	{ "ssl", take_ssl, "ssl wants yes, any-cert or no" },
	{ "starttls", take_starttls, "starttls wants yes or any-cert" },
	{ "destuser", take_user, "destuser is empty or too long" },
	{ "master", take_master, "master is empty or too long" },
	{ "pass", take_pass, "pass is empty or too long" },
	{ "nopassword", take_nopassword, "nopassword wants y, or nothing" },
	{ "proxy_not_trusted", take_not_trusted,
	  "proxy_not_trusted wants y, or nothing" },
	{ "proxy_timeout", take_timeout, "proxy_timeout is not 1 to 60 s" },
};

/* Is the word at P, N bytes, called NAME? *VALUE gets what follows its "=". */
static bool is_called(const char *p, size_t n, const char *name,
		      const char **value)
{
	size_t length = strlen(name);

	if (n < length || !str_span_is(p, length, name) ||
	    (n > length && p[length] != '='))
		return false;
	*value = p + length + (n > length);
	return true;
}

bool proxy_is_meant(const char *text)
{
	const char *value;

	for (size_t n; *(text += strspn(text, BLANKS)); text += n) {
		n = strcspn(text, BLANKS);
		if (is_called(text, n, "proxy", &value) ||
		    is_called(text, n, "proxy_maybe", &value))
			return true;
	}
	return false;
}

static const char *take_word(const char *p, size_t n, bool lenient,
			     struct proxy_target *t)
{
	char copy[1100];
	const char *value;

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		size_t length;

		if (!is_called(p, n, words[i].name, &value))
			continue;
		length = (size_t)(p + n - value);
		if (length >= sizeof(copy))
			return words[i].fault;
		memcpy(copy, value, length);
		copy[length] = '\0';
		return words[i].take(t, copy) ? NULL : words[i].fault;
	}
	return lenient ? NULL : "there is a word that is not known";
}

/* What holds for the words together. */
static const char *judge(struct proxy_target *t)
{
	if (!*t->host)
		return "host= is missing";
	if (*t->master && !*t->pass)
		return "master= needs pass=";
	if (t->nopassword && *t->pass)
		return "with nopassword and pass= anybody could log in";
	if (!*t->ip && is_ip(t->host))
		str_copy(t->ip, sizeof(t->ip), t->host);
	if (!*t->ip && strchr(t->host, ':'))
		return "host is not the name or address of a host";
	return NULL;
}

const char *proxy_read(const char *text, bool lenient, struct proxy_target *t)
{
	const char *fault = NULL;

	*t = (struct proxy_target){ .forwards = true };
	for (size_t n; !fault && *(text += strspn(text, BLANKS)); text += n) {
		n = strcspn(text, BLANKS);
		fault = take_word(text, n, lenient, t);
	}
	return fault ? fault : judge(t);
}
