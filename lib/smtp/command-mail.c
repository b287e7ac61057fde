/* MAIL and RCPT with their parameters (RFC 5321, 1870, 6152, 3461, 4954,
 * 6531). */
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "smtp/command.h"

#define ENVID_MAX 100  /* RFC 3461 section 4.4 */
#define ORCPT_MAX 500  /* RFC 3461 section 4.2 */
#define SIZE_DIGITS 20 /* RFC 1870 section 3 */

/* One parameter of MAIL or RCPT: stores what VALUE says. False, with the
 * reply, if it is wrong. */
struct smtp_param {
	const char *name;
	bool (*take)(struct smtp_session *s, const char *value,
		     struct smtp_reply *r);
};

/* Takes the next "NAME=VALUE" or "NAME" off *ARGS, in place; VALUE is ""
 * if there is none. False at the end. */
static bool next_param(char **args, char **name, char **value)
{
	char *p = *args;

	while (*p == ' ')
		p++;
	if (!*p)
		return false;
	*name = p;
	p += strcspn(p, " ");
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

/* Takes all parameters in ARGS by the N rows of TABLE. */
static bool take_params(struct smtp_session *s, char *args,
			const struct smtp_param *table, size_t n,
			struct smtp_reply *r)
{
	char *name, *value;

	while (next_param(&args, &name, &value)) {
		size_t i = 0;

		while (i < n && !str_equal_ci(table[i].name, name))
			i++;
		if (i == n || !s->esmtp) {
			smtp_reply_set(r, "555 5.5.4 Unsupported option: %s",
				       name);
			return false;
		}
		if (!table[i].take(s, value, r))
			return false;
	}
	return true;
}

static bool take_size(struct smtp_session *s, const char *value,
		      struct smtp_reply *r)
{
	int64_t limit = s->server->size_limit, size;
	size_t digits = strspn(value, "0123456789");

	if (!digits || digits > SIZE_DIGITS || value[digits])
		return smtp_refuse(r, "501 5.5.4 Bad message size syntax");
	if (!str_to_int(value, 0, limit ? limit : INT64_MAX, &size))
		return smtp_refuse(
			r, "552 5.3.4 Message size exceeds fixed limit");
	return true;
}

static bool take_body(struct smtp_session *s, const char *value,
		      struct smtp_reply *r)
{
	if (str_equal_ci(value, "8BITMIME"))
		s->envelope.body = "8BITMIME";
	else if (str_equal_ci(value, "7BIT"))
		s->envelope.body = "7BIT";
	else
		return smtp_refuse(r, "501 5.5.4 Bad BODY value");
	return true;
}

static bool take_ret(struct smtp_session *s, const char *value,
		     struct smtp_reply *r)
{
	if (*s->envelope.ret)
		return smtp_refuse(r, "501 5.5.4 RET is given twice");
	if (str_equal_ci(value, "FULL"))
		s->envelope.ret = "FULL";
	else if (str_equal_ci(value, "HDRS"))
		s->envelope.ret = "HDRS";
	else
		return smtp_refuse(r, "501 5.5.4 Bad RET value");
	return true;
}

/* Undoes xtext (RFC 3461 section 4): printable ASCII must come of it, or
 * UTF-8 in a message with SMTPUTF8 (RFC 6533 section 3). */
static char *decode_xtext(struct smtp_session *s, const char *in, size_t max)
{
	static const char digits[] = "0123456789ABCDEF";
	char *out, *to;

	if (strlen(in) > 3 * max)
		return NULL;
	out = to = arena_alloc(s->memory, strlen(in) + 1);
	for (; *in; in++) {
		const char *high, *low;
		int c = (unsigned char)*in;

		if (c == '+') {
			high = in[1] ? strchr(digits, in[1]) : NULL;
			low = high && in[2] ? strchr(digits, in[2]) : NULL;
			if (!low)
				return NULL;
			c = (int)((high - digits) * 16 + (low - digits));
			in += 2;
		}
		if (!str_isprint(c) && (c < 0x80 || !s->envelope.smtputf8))
			return NULL;
		*to++ = (char)c;
	}
	if ((size_t)(to - out) > max || !str_is_utf8(out, (size_t)(to - out)))
		return NULL;
	return out;
}

static bool take_envid(struct smtp_session *s, const char *value,
		       struct smtp_reply *r)
{
	const char *text = decode_xtext(s, value, ENVID_MAX);

	if (!text || !*text || *s->envelope.envid)
		return smtp_refuse(r, "501 5.5.4 Bad ENVID value");
	s->envelope.envid = text;
	return true;
}

/* What a submitter says of its own submitter is not believed. */
static bool take_auth(struct smtp_session *s, const char *value,
		      struct smtp_reply *r)
{
	if (!*value || !decode_xtext(s, value, ORCPT_MAX))
		return smtp_refuse(r, "501 5.5.4 Bad AUTH value");
	return true;
}

static bool take_smtputf8(struct smtp_session *s, const char *value,
			  struct smtp_reply *r)
{
	if (*value)
		return smtp_refuse(r, "501 5.5.4 SMTPUTF8 has no value");
	s->envelope.smtputf8 = true;
	return true;
}

static bool check_utf8(const struct smtp_session *s, const struct address *a,
		       struct smtp_reply *r)
{
	if (!a->utf8 || s->envelope.smtputf8)
		return true;
	return smtp_refuse(r, "553 5.6.7 Address wants SMTPUTF8 with MAIL");
}

static const struct smtp_param mail_params[] = {
	{ "SIZE", take_size }, { "BODY", take_body },
	{ "RET", take_ret },   { "ENVID", take_envid },
	{ "AUTH", take_auth }, { "SMTPUTF8", take_smtputf8 },
};

static struct envelope_recipient *last_recipient(struct smtp_session *s)
{
	return &s->envelope.recipient[s->envelope.nrecipients];
}

static bool take_notify(struct smtp_session *s, const char *value,
			struct smtp_reply *r)
{
	static const struct {
		const char *word;
		unsigned bit;
	} words[] = { { "NEVER", NOTIFY_NEVER },
		      { "SUCCESS", NOTIFY_SUCCESS },
		      { "FAILURE", NOTIFY_FAILURE },
		      { "DELAY", NOTIFY_DELAY } };
	unsigned notify = 0;

	for (const char *p = value, *next; *p; p = next) {
		size_t n = strcspn(p, ","), i = 0;

		while (i < 4 && !str_span_is(p, n, words[i].word))
			i++;
		if (i == 4)
			return smtp_refuse(r, "501 5.5.4 Bad NOTIFY value");
		notify |= words[i].bit;
		next = p + n + (p[n] == ',' && p[n + 1]);
	}
	if (!notify || last_recipient(s)->notify ||
	    (notify & NOTIFY_NEVER && notify != NOTIFY_NEVER))
		return smtp_refuse(r, "501 5.5.4 Bad NOTIFY value");
	last_recipient(s)->notify = notify;
	return true;
}

static bool take_orcpt(struct smtp_session *s, const char *value,
		       struct smtp_reply *r)
{
	const char *text = decode_xtext(s, value, ORCPT_MAX);
	const char *semicolon = text ? strchr(text, ';') : NULL;

	if (!semicolon || semicolon == text || !semicolon[1] ||
	    *last_recipient(s)->orcpt)
		return smtp_refuse(r, "501 5.5.4 Bad ORCPT value");
	last_recipient(s)->orcpt = text;
	return true;
}

static const struct smtp_param rcpt_params[] = { { "NOTIFY", take_notify },
						 { "ORCPT", take_orcpt } };

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* "FROM:" or "TO:", then the path; *ARGS is what stands behind it. */
static bool take_path(char **args, const char *keyword, const char *bad,
		      struct address *a, struct smtp_reply *r)
{
	char *p = *args;
	size_t used;
	int err;

	if (!str_starts_ci(p, keyword)) {
		smtp_reply_set(r, "501 5.5.4 Syntax: %s<address>", keyword);
		return false;
	}
	p += strlen(keyword);
	while (*p == ' ')
		p++;
	err = address_parse_path(p, strlen(p), a, &used);
	if (!err && p[used] && p[used] != ' ')
		err = ERR_SYNTAX;
	*args = p + used;
	return err ? smtp_refuse(r, "%s", bad) : true;
}

/* An address without a domain is one of this system's. */
static void complete(const struct smtp_session *s, struct address *a)
{
	if (!*a->domain && *a->local)
		str_copy(a->domain, ADDRESS_DOMAIN_SIZE, s->server->origin);
}

static char *keep_text(struct smtp_session *s, const struct address *a)
{
	char text[ADDRESS_TEXT_SIZE];

	return arena_strdup(s->memory, address_text(a, text));
}

static bool take_sender(struct smtp_session *s, char *args,
			struct smtp_reply *r)
{
	struct address a;

	if (!take_path(&args, "FROM:", "501 5.1.7 Bad sender address syntax",
		       &a, r))
		return false;
	complete(s, &a);
	s->envelope.sender = keep_text(s, &a);
	return take_params(s, args, mail_params, COUNT(mail_params), r) &&
	       check_utf8(s, &a, r) && s->server->policy->sender(s, &a, r);
}

void smtp_run_mail(struct smtp_session *s, char *args)
{
	struct smtp_reply r;

	smtp_reset(s);
	if (take_sender(s, args, &r)) {
		s->state = SMTP_MAIL;
		smtp_say(s, "250 2.1.0 Ok");
		return;
	}
	smtp_log_refusal(s, "MAIL", NULL, &r);
	smtp_reset(s);
	smtp_say(s, "%s", r.text);
}

static void make_room(struct smtp_session *s)
{
	struct envelope *e = &s->envelope;

	if (e->nrecipients == s->cap_recipients) {
		s->cap_recipients += s->cap_recipients + 8;
		e->recipient = mem_resize(e->recipient, s->cap_recipients,
					  sizeof(*e->recipient));
	}
	*last_recipient(s) =
		(struct envelope_recipient){ .address = "", .orcpt = "" };
}

static bool take_recipient(struct smtp_session *s, char *args,
			   struct smtp_reply *r)
{
	static const char bad[] = "501 5.1.3 Bad recipient address syntax";
	struct address a;

	make_room(s);
	if ((int64_t)s->envelope.nrecipients >= s->server->recipient_limit)
		return smtp_refuse(r, "452 4.5.3 Error: too many recipients");
	if (!take_path(&args, "TO:", bad, &a, r))
		return false;
	if (address_is_null(&a))
		return smtp_refuse(r, "%s", bad);
	complete(s, &a);
	last_recipient(s)->address = keep_text(s, &a);
	if (!check_utf8(s, &a, r) ||
	    !take_params(s, args, rcpt_params, COUNT(rcpt_params), r) ||
	    !s->server->policy->recipient(s, &a, r))
		return false;
	last_recipient(s)->address = keep_text(s, &a);
	return true;
}

void smtp_run_rcpt(struct smtp_session *s, char *args)
{
	struct smtp_reply r;

	if (take_recipient(s, args, &r)) {
		s->envelope.nrecipients++;
		s->state = SMTP_RECIPIENTS;
		smtp_say(s, "250 2.1.5 Ok");
		return;
	}
	s->refused_recipients = true;
	smtp_log_refusal(s, "RCPT", last_recipient(s)->address, &r);
	smtp_say(s, "%s", r.text);
}
