/* MAIL and RCPT (RFC 5321 section 3.3). */
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "smtp/command.h"

/* A path as the client sent it. */
struct path {
	struct address address;
	bool raw; /* it has bytes beyond ASCII */
};

static bool is_raw(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)p[i] >= 0x80)
			return true;
	return false;
}

/* "FROM:" or "TO:", then the path; *ARGS is what follows it. */
static bool take_path(char **args, const char *keyword, const char *bad,
		      struct path *path, struct answer *r)
{
	char *p = *args;
	size_t used;
	int err;

	if (!str_starts_ci(p, keyword))
		return answer_refuse(r, "501 5.5.4 Syntax: %s<address>",
				     keyword);
	p += strlen(keyword);
	while (smtp_is_blank(*p))
		p++;
	err = address_parse_path(p, strlen(p), &path->address, &used);
	if (!err && p[used] && !smtp_is_blank(p[used]))
		err = ERR_SYNTAX;
	path->raw = is_raw(p, used);
	*args = p + used;
	return err ? answer_refuse(r, "%s", bad) : true;
}

/* RFC 6531 section 3.3: also for domains, which A-labels could express. */
static bool check_raw(const struct smtp_session *s, const struct path *path,
		      struct answer *r)
{
	if (!path->raw || s->envelope.smtputf8)
		return true;
	return answer_refuse(r, "553 5.6.7 Address wants SMTPUTF8 with MAIL");
}

static char *keep_text(struct smtp_session *s, const struct address *a)
{
	char text[ADDRESS_TEXT_SIZE];

	return arena_strdup(s->memory, address_text(a, text));
}

static bool take_sender(struct smtp_session *s, char *args, struct answer *r)
{
	struct path path;
	struct address *a = &path.address;

	if (!take_path(&args, "FROM:", "501 5.1.7 Bad sender address syntax",
		       &path, r))
		return false;
	if (!*a->domain && *a->local)
		smtp_take_home(s->server, a);
	s->envelope.sender = keep_text(s, a);
	return smtp_take_mail_params(s, args, r) && check_raw(s, &path, r) &&
	       smtp_ask(s, INTAKE_MAIL, a, r);
}

void smtp_run_mail(struct smtp_session *s, char *args)
{
	struct answer r;

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

struct envelope_recipient *smtp_next_recipient(struct smtp_session *s)
{
	return &s->envelope.recipient[s->envelope.nrecipients];
}

static void make_room(struct smtp_session *s)
{
	struct envelope *e = &s->envelope;

	if (e->nrecipients == s->cap_recipients) {
		s->cap_recipients += s->cap_recipients + 8;
		e->recipient = mem_resize(e->recipient, s->cap_recipients,
					  sizeof(*e->recipient));
	}
	if (s->nrooms > e->nrecipients) /* of one that was refused */
		s->nrooms = e->nrecipients;
	*smtp_next_recipient(s) =
		(struct envelope_recipient){ .address = "", .orcpt = "" };
}

static bool take_recipient(struct smtp_session *s, char *args, struct answer *r)
{
	static const char bad[] = "501 5.1.3 Bad recipient address syntax";
	struct path path;
	struct address *a = &path.address;

	make_room(s);
	if ((int64_t)s->envelope.nrecipients >= s->server->recipient_limit)
		return answer_refuse(r, "452 4.5.3 Error: too many recipients");
	if (!take_path(&args, "TO:", bad, &path, r))
		return false;
	if (address_is_null(a))
		return answer_refuse(r, "%s", bad);
	if (!*a->domain)
		smtp_take_home(s->server, a);
	smtp_next_recipient(s)->address = keep_text(s, a);
	if (!check_raw(s, &path, r) || !smtp_take_rcpt_params(s, args, r) ||
	    !smtp_ask(s, INTAKE_RCPT, a, r))
		return false;
	smtp_next_recipient(s)->address = keep_text(s, a);
	return true;
}

void smtp_run_rcpt(struct smtp_session *s, char *args)
{
	struct answer r;

	if (take_recipient(s, args, &r)) {
		s->envelope.nrecipients++;
		s->state = SMTP_RECIPIENTS;
		smtp_say(s, "250 2.1.5 Ok");
		return;
	}
	s->refused_recipients = true;
	smtp_log_refusal(s, "RCPT", smtp_next_recipient(s)->address, &r);
	smtp_say(s, "%s", r.text);
}
