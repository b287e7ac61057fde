/* The parameters of MAIL and RCPT (RFC 1870, 6152, 3461, 4954, 6531). */
#include <string.h>

#include "base/err.h"
#include "smtp/command.h"
#include "smtp/dsn-param.h"

#define SIZE_DIGITS 20 /* RFC 1870 section 3 */

/* One parameter of MAIL or RCPT: stores what VALUE says. False, with the
 * reply, if it is wrong. */
struct smtp_param {
	const char *name;
	bool (*take)(struct smtp_session *s, const char *value,
		     struct answer *r);
};

/* Takes the next "NAME=VALUE" or "NAME" off *ARGS, in place; VALUE is ""
 * if there is none. False at the end. */
static bool next_param(char **args, char **name, char **value)
{
	char *p = *args;

	while (smtp_is_blank(*p))
		p++;
	if (!*p)
		return false;
	*name = p;
	while (*p && !smtp_is_blank(*p))
		p++;
	if (*p)
		*p++ = '\0';
	*args = p;
	*value = strchr(*name, '=');
	if (*value)
		*(*value)++ = '\0';
	else
		*value = *name + strlen(*name);
	return true;
}

static bool take_size(struct smtp_session *s, const char *value,
		      struct answer *r)
{
	int64_t limit = s->server->size_limit, size;
	size_t digits = strspn(value, "0123456789");

	if (!digits || digits > SIZE_DIGITS || value[digits])
		return answer_refuse(r, "501 5.5.4 Bad message size syntax");
	if (!str_to_int(value, 0, limit ? limit : INT64_MAX, &size))
		return answer_refuse(
			r, "552 5.3.4 Message size exceeds fixed limit");
	s->size = size;
	return true;
}

static bool take_body(struct smtp_session *s, const char *value,
		      struct answer *r)
{
	if (str_equal_ci(value, "8BITMIME"))
		s->envelope.body = "8BITMIME";
	else if (str_equal_ci(value, "7BIT"))
		s->envelope.body = "7BIT";
	else
		return answer_refuse(r, "501 5.5.4 Bad BODY value");
	return true;
}

static bool take_ret(struct smtp_session *s, const char *value,
		     struct answer *r)
{
	if (*s->envelope.ret)
		return answer_refuse(r, "501 5.5.4 RET is given twice");
	if (str_equal_ci(value, "FULL"))
		s->envelope.ret = "FULL";
	else if (str_equal_ci(value, "HDRS"))
		s->envelope.ret = "HDRS";
	else
		return answer_refuse(r, "501 5.5.4 Bad RET value");
	return true;
}

/* Keeps the value that B holds until the message ends. */
static const char *keep(struct smtp_session *s, struct buf *b)
{
	const char *text = arena_strndup(s->memory, b->data, b->len);

	buf_free(b);
	return text;
}

static bool take_envid(struct smtp_session *s, const char *value,
		       struct answer *r)
{
	struct buf plain;
	bool good;

	buf_init(&plain, SMTP_LINE_MAX);
	good = smtp_envid_decode(&plain, value) && !*s->envelope.envid;
	s->envelope.envid = keep(s, &plain);
	return good || answer_refuse(r, "501 5.5.4 Bad ENVID value");
}

/* What a client says about the original submitter is not believed. */
static bool take_auth(struct smtp_session *s, const char *value,
		      struct answer *r)
{
	struct buf plain;
	bool good;

	(void)s;
	buf_init(&plain, SMTP_LINE_MAX);
	good = *value && smtp_xtext_decode(&plain, value);
	buf_free(&plain);
	return good || answer_refuse(r, "501 5.5.4 Bad AUTH value");
}

static bool take_smtputf8(struct smtp_session *s, const char *value,
			  struct answer *r)
{
	if (*value)
		return answer_refuse(r, "501 5.5.4 SMTPUTF8 has no value");
	s->envelope.smtputf8 = true;
	return true;
}

static const struct smtp_param mail_params[] = {
	{ "SIZE", take_size }, { "BODY", take_body },
	{ "RET", take_ret },   { "ENVID", take_envid },
	{ "AUTH", take_auth }, { "SMTPUTF8", take_smtputf8 },
};

static bool take_notify(struct smtp_session *s, const char *value,
			struct answer *r)
{
	static const struct {
		const char *word;
		unsigned bit;
	} words[] = { { "NEVER", NOTIFY_NEVER },
		      { "SUCCESS", NOTIFY_SUCCESS },
		      { "FAILURE", NOTIFY_FAILURE },
		      { "DELAY", NOTIFY_DELAY } };
	struct envelope_recipient *to = smtp_next_recipient(s);
	unsigned notify = 0;

	for (const char *p = value, *next; *p; p = next) {
		size_t n = strcspn(p, ","), i = 0;

		while (i < 4 && !str_span_is(p, n, words[i].word))
			i++;
		if (i == 4)
			return answer_refuse(r, "501 5.5.4 Bad NOTIFY value");
		notify |= words[i].bit;
		next = p + n + (p[n] == ',' && p[n + 1]);
	}
	if (!notify || to->notify ||
	    (notify & NOTIFY_NEVER && notify != NOTIFY_NEVER))
		return answer_refuse(r, "501 5.5.4 Bad NOTIFY value");
	to->notify = notify;
	return true;
}

static bool take_orcpt(struct smtp_session *s, const char *value,
		       struct answer *r)
{
	struct envelope_recipient *to = smtp_next_recipient(s);
	struct buf plain;
	bool good;

	buf_init(&plain, SMTP_LINE_MAX);
	good = smtp_orcpt_decode(&plain, value, s->envelope.smtputf8) &&
	       !*to->orcpt;
	to->orcpt = keep(s, &plain);
	return good || answer_refuse(r, "501 5.5.4 Bad ORCPT value");
}

static const struct smtp_param rcpt_params[] = { { "NOTIFY", take_notify },
						 { "ORCPT", take_orcpt } };

/* Takes all parameters in ARGS by the N rows of TABLE. */
static bool take_params(struct smtp_session *s, char *args,
			const struct smtp_param *table, size_t n,
			struct answer *r)
{
	char *name, *value;

	while (next_param(&args, &name, &value)) {
		size_t i = 0;

		while (i < n && !str_equal_ci(table[i].name, name))
			i++;
		if (i == n || !s->esmtp) {
			answer_set(r, "555 5.5.4 Unsupported option: %s", name);
			return false;
		}
		if (!table[i].take(s, value, r))
			return false;
	}
	return true;
}

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

bool smtp_take_mail_params(struct smtp_session *s, char *args, struct answer *r)
{
	return take_params(s, args, mail_params, COUNT(mail_params), r);
}

bool smtp_take_rcpt_params(struct smtp_session *s, char *args, struct answer *r)
{
	return take_params(s, args, rcpt_params, COUNT(rcpt_params), r);
}
