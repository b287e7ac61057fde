/*
 * submit: SMTP with our users (RFC 6409), on port 587 with STARTTLS and on
 * port 465 under TLS from the start (RFC 8314). No mail is accepted without a
 * login, and no login without TLS.
 */
#include "smtpd/submit.h"

#include "client/account.h"
#include "smtp/program.h"

static void say_extensions(struct smtp_session *s)
{
	if (s->tls)
		stream_puts(s->io, "250-AUTH PLAIN LOGIN\r\n");
}

static enum intake_action judge_owner(const char *login, const char *text,
				      struct answer *a)
{
	switch (account_may_send(login, text)) {
	case ACCOUNT_FOUND:
		return INTAKE_ACCEPT;
	case ACCOUNT_NONE:
		return intake_no(a,
				 "553 5.7.1 <%s>: Sender address rejected: "
				 "not owned by user %s",
				 text, login);
	case ACCOUNT_TEMP:
		break;
	}
	return intake_no(a, "451 4.3.0 <%s>: Temporary lookup failure", text);
}

/* The null sender is for programs that answer mail (RFC 3798, 5230). */
static enum intake_action judge_sender(const struct intake_question *q,
				       struct answer *a)
{
	const struct smtp_session *s = q->session;
	char text[ADDRESS_TEXT_SIZE];

	if (!*s->login && !s->tls)
		return intake_no(a, "530 5.7.0 Must issue a STARTTLS command "
				    "first");
	if (!*s->login)
		return intake_no(a, "530 5.7.0 Authentication required");
	if (address_is_null(q->address))
		return INTAKE_ACCEPT;
	return judge_owner(s->login, address_text(q->address, text), a);
}

static const struct intake_row rows[] = {
	{ "login", INTAKE_MAIL, INTAKE_SUBMITTED, judge_sender },
	{ "recipient", INTAKE_RCPT, INTAKE_SUBMITTED, smtp_judge_relayed },
	{ NULL, INTAKE_END, 0, NULL },
};

static enum intake_kind kind(const struct smtp_session *s)
{
	(void)s;
	return INTAKE_SUBMITTED;
}

/* clang-format off */
static const struct smtp_command commands[] = {
{ "AUTH", SMTP_GREETED | SMTP_READY, SMTP_LAST,
	"503 5.5.1 Error: MAIL transaction in progress", submit_run_auth },
{ NULL, 0, 0, NULL, NULL },
};
/* clang-format on */

static const struct smtp_policy policy = { .tls_service = "submission",
					   .extensions = say_extensions,
					   .rows = rows,
					   .kind = kind,
					   .more = commands };

int main(int argc, char **argv)
{
	return smtp_program(argc, argv, "submit", &policy);
}
