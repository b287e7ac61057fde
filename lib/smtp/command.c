#include "smtp/command.h"

#include <string.h>

static void run_rset(struct smtp_session *s, char *args)
{
	if (*args) {
		smtp_say(s, "501 5.5.4 Syntax: RSET");
		return;
	}
	smtp_reset(s);
	smtp_say(s, "250 2.0.0 Ok");
}

static void run_noop(struct smtp_session *s, char *args)
{
	(void)args;
	smtp_say(s, "250 2.0.0 Ok");
}

/* Does not tell which users exist (RFC 5321 section 7.3). */
static void run_vrfy(struct smtp_session *s, char *args)
{
	if (*args)
		smtp_say(s, "252 2.0.0 Cannot verify: mail to it may be tried");
	else
		smtp_say(s, "501 5.5.4 Syntax: VRFY address");
}

static void run_quit(struct smtp_session *s, char *args)
{
	(void)args;
	smtp_say(s, "221 2.0.0 Bye");
	s->over = true;
}

static void run_help(struct smtp_session *s, char *args)
{
	const struct smtp_command *c;
	struct buf words;

	(void)args;
	buf_init(&words, ANSWER_SIZE);
	for (size_t i = 0; (c = smtp_command_at(s, i)); i++)
		if (!(c->flags & (s->lmtp ? SMTP_NOT_LMTP : SMTP_ONLY_LMTP)))
			buf_printf(&words, " %s", c->word);
	smtp_say(s, "214 2.0.0 Commands:%s", words.data);
	buf_free(&words);
}

#define NO_MAIL (SMTP_GREETED | SMTP_READY)

#define MAIL_FIRST "503 5.5.1 Error: need MAIL command"

/* clang-format off */
static const struct smtp_command rows[] = {
{ "HELO", SMTP_ANY, SMTP_LAST | SMTP_NOT_LMTP, NULL, smtp_run_helo },
{ "EHLO", SMTP_ANY, SMTP_LAST | SMTP_NOT_LMTP, NULL, smtp_run_ehlo },
{ "LHLO", SMTP_ANY, SMTP_LAST | SMTP_ONLY_LMTP, NULL, smtp_run_ehlo },
{ "STARTTLS", NO_MAIL, SMTP_LAST,
	"503 5.5.1 Error: MAIL transaction in progress", smtp_run_starttls },
{ "MAIL", SMTP_READY, 0,
	"503 5.5.1 Error: nested MAIL command", smtp_run_mail },
{ "RCPT", SMTP_MAIL | SMTP_RECIPIENTS, 0, MAIL_FIRST, smtp_run_rcpt },
{ "DATA", SMTP_MAIL | SMTP_RECIPIENTS, SMTP_LAST, MAIL_FIRST, smtp_run_data },
{ "RSET", SMTP_ANY, SMTP_JUNK, NULL, run_rset },
{ "NOOP", SMTP_ANY, SMTP_JUNK, NULL, run_noop },
{ "VRFY", SMTP_ANY, SMTP_JUNK, NULL, run_vrfy },
{ "HELP", SMTP_ANY, SMTP_JUNK, NULL, run_help },
{ "XCLIENT", NO_MAIL, SMTP_LAST | SMTP_NOT_LMTP,
	"503 5.5.1 Error: MAIL transaction in progress", smtp_run_xclient },
{ "QUIT", SMTP_ANY, 0, NULL, run_quit },
};
/* clang-format on */

const struct smtp_command *smtp_command_at(const struct smtp_session *s,
					   size_t index)
{
	const struct smtp_command *more = s->server->policy->more;
	size_t n = sizeof(rows) / sizeof(rows[0]);

	if (index < n)
		return &rows[index];
	for (index -= n; more && more->word && index > 0; index--)
		more++;
	return more && more->word ? more : NULL;
}
