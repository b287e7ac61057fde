/*
 * smtpd: SMTP with strangers, and LMTP. It takes connections that gate has
 * greeted from its own socket, and serves the sockets "smtp" (without gate)
 * and "lmtp" directly.
 */
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "ipc/ipc.h"
#include "log/log.h"
#include "service/service.h"
#include "smtp/session.h"

#define USES 1000  /* connections until a child is renewed */
#define GRACE_S 15 /* for sessions at the end */
#define HANDOVER_MS 5000

static struct {
	struct smtp_server server;
	struct intake *intake; /* a child's own */
} self;

static bool check_sender(struct smtp_session *s, const struct address *a,
			 struct smtp_reply *r)
{
	if (s->lmtp || s->trusted || !s->server->check_sender_domain)
		return true;
	return smtp_check_sender_domain(s, a, r);
}

/* LMTP is for delivery here alone (RFC 2033 section 4.1). */
static bool check_recipient(struct smtp_session *s, struct address *a,
			    struct smtp_reply *r)
{
	return smtp_check_recipient(s, a, s->trusted && !s->lmtp, r);
}

static enum intake_kind kind(const struct smtp_session *s)
{
	return s->trusted || s->lmtp ? INTAKE_RELAYED : INTAKE_OUTSIDE;
}

static const struct smtp_policy policy = { .sender = check_sender,
					   .recipient = check_recipient,
					   .kind = kind };

static void serve_connection(int fd, bool lmtp, bool greeted)
{
	struct smtp_session s;

	smtp_session_init(&s, &self.server, self.intake, fd);
	s.lmtp = lmtp;
	if (!greeted)
		smtp_session_greet(&s);
	smtp_session_run(&s);
}

/* Takes a connection from gate. SOCK stays open until the session is over:
 * its end tells gate that. */
static void serve_gate(int sock)
{
	struct ipc_in m = { 0 };
	int err = ipc_recv(sock, &m, HANDOVER_MS);
	int fd = !err && ipc_is(&m, "connection") ? ipc_take_fd(&m) : -1;

	if (fd >= 0)
		serve_connection(fd, false, true);
	else
		log_warn("no connection from gate: %s", err_text(err));
	ipc_in_free(&m);
	close(sock);
}

static bool serve(void *context, const struct prefork_listener *l, int fd)
{
	(void)context;
	if (l->ipc)
		serve_gate(fd);
	else
		serve_connection(fd, strcmp(l->name, "lmtp") == 0, false);
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

	service_start(&s, argc, argv, "smtpd");
	smtp_server_init(&self.server, s.config, &policy);
	p.max = (int)config_int(s.config, "smtpd_process_limit");
	/* of LMTP: gate counts the others */
	p.client_max = service_client_max(s.config, p.max);
	p.refusal = "421 4.7.0 Error: too many connections from you\r\n";
	service_confine(&s, SANDBOX_FORK);
	sandbox_prepare(0);
	return service_prefork(&s, &p);
}
