/*
 * submit: SMTP with our users (RFC 6409), on port 587 with STARTTLS and on
 * port 465 under TLS from the start (RFC 8314). Nothing is taken from a
 * client that has not logged in, and no login goes without TLS.
 */
#include "submit/submit.h"

#include <string.h>

#include "client/account.h"
#include "service/service.h"

#define USES 1000  /* connections until a child is renewed */
#define GRACE_S 15 /* for sessions at the end */

static struct {
	struct smtp_server server;
	struct intake *intake; /* a child's own */
} self;

static void say_extensions(struct smtp_session *s)
{
	if (s->tls)
		stream_puts(s->io, "250-AUTH PLAIN LOGIN\r\n");
}

static bool check_owner(const char *login, const char *text,
			struct smtp_reply *r)
{
	switch (account_may_send(login, text)) {
	case ACCOUNT_FOUND:
		return true;
	case ACCOUNT_NONE:
		return smtp_refuse(r,
				   "553 5.7.1 <%s>: Sender address "
				   "rejected: not owned by user %s",
				   text, login);
	case ACCOUNT_TEMP:
		break;
	}
	return smtp_refuse(r, "451 4.3.0 <%s>: Temporary lookup failure", text);
}

/* The null sender is for programs that answer mail (RFC 3798, 5230). */
static bool check_sender(struct smtp_session *s, const struct address *a,
			 struct smtp_reply *r)
{
	char text[ADDRESS_TEXT_SIZE];

	if (!*s->login && !s->tls)
		return smtp_refuse(r, "530 5.7.0 Must issue a STARTTLS command "
				      "first");
	if (!*s->login)
		return smtp_refuse(r, "530 5.7.0 Authentication required");
	if (address_is_null(a))
		return true;
	return check_owner(s->login, address_text(a, text), r);
}

static bool check_recipient(struct smtp_session *s, struct address *a,
			    struct smtp_reply *r)
{
	return smtp_check_recipient(s, a, true, r);
}

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

static const struct smtp_policy policy = { .extensions = say_extensions,
					   .sender = check_sender,
					   .recipient = check_recipient,
					   .kind = kind,
					   .more = commands };

static bool serve(void *context, const struct prefork_listener *l, int fd)
{
	struct smtp_session s;

	(void)context;
	smtp_session_init(&s, &self.server, self.intake, fd);
	if (strcmp(l->name, "submissions") != 0 || smtp_session_start_tls(&s))
		smtp_session_greet(&s);
	smtp_session_run(&s);
	return true;
}

static void child_start(void *context)
{
	(void)context;
	self.intake = intake_new(self.server.config);
	sandbox_enter(0);
}

int main(int argc, char **argv)
{
	struct service s;
	struct prefork p = { .spare = 2,
			     .uses = USES,
			     .grace_s = GRACE_S,
			     .child_start = child_start,
			     .serve = serve };

	service_start(&s, argc, argv, "submit");
	smtp_server_init(&self.server, s.config, &policy);
	p.max = (int)config_int(s.config, "smtpd_process_limit");
	p.client_max = service_client_max(s.config, p.max);
	p.refusal = "421 4.7.0 Error: too many connections from you\r\n";
	service_confine(&s, SANDBOX_FORK);
	sandbox_prepare(0);
	return service_prefork(&s, &p);
}
