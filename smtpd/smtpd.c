/*
 * smtpd: SMTP with strangers, and LMTP. It takes sessions from gate on a
 * private socket, and serves the sockets "smtp" (without gate) and "lmtp"
 * directly.
 */
#include "smtp/program.h"
#include "smtp/session.h"

static enum intake_kind kind(const struct smtp_session *s)
{
	return s->trusted || s->lmtp ? INTAKE_RELAYED : INTAKE_OUTSIDE;
}

/* LMTP is only for delivery here (RFC 2033 section 4.1). */
static enum intake_action judge_relayed(const struct intake_question *q,
					struct answer *a)
{
	const struct smtp_session *s = q->session;

	return s->lmtp ? smtp_judge_recipient(q, a) : smtp_judge_relayed(q, a);
}

static const struct intake_row rows[] = {
	{ "reject_unknown_sender_domain", INTAKE_MAIL, INTAKE_OUTSIDE,
	  smtp_judge_sender_domain },
	{ "recipient", INTAKE_RCPT, INTAKE_OUTSIDE, smtp_judge_recipient },
	{ "recipient", INTAKE_RCPT, INTAKE_RELAYED, judge_relayed },
	{ NULL, INTAKE_END, 0, NULL },
};

static const struct smtp_policy policy = { .tls_service = "smtp",
					   .rows = rows,
					   .kind = kind };

int main(int argc, char **argv)
{
	return smtp_program(argc, argv, "smtpd", &policy);
}
