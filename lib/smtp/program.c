#include "smtp/program.h"

#include <string.h>

#include "service/service.h"
#include "smtp/park.h"

#define USES 1000  /* connections until a child is renewed */
#define GRACE_S 15 /* for sessions at the end */

static struct {
	struct smtp_server server;
	struct intake *intake; /* a child's own */
} self;

static void serve_connection(int fd, const char *name)
{
	struct smtp_session s;

	smtp_session_init(&s, &self.server, self.intake, fd);
	s.lmtp = strcmp(name, "lmtp") == 0;
	smtp_meet(&s);
	if (strcmp(name, "submissions") != 0 || smtp_session_start_tls(&s))
		smtp_session_greet(&s);
	smtp_session_run(&s);
}

static bool serve(void *context, const struct prefork_listener *l, int fd)
{
	(void)context;
	if (l->ipc)
		smtp_serve_gate(&self.server, self.intake, fd);
	else
		serve_connection(fd, l->name);
	return true;
}

static void child_start(void *context)
{
	(void)context;
	self.intake = intake_new(self.server.config, self.server.policy->rows);
	sandbox_enter(0);
}

int smtp_program(int argc, char **argv, const char *name,
		 const struct smtp_policy *policy)
{
	struct service s;
	struct prefork p = { .spare = 2,
			     .uses = USES,
			     .grace_s = GRACE_S,
			     .child_start = child_start,
			     .serve = serve };

	service_start(&s, argc, argv, name);
	smtp_server_init(&self.server, s.config, policy);
	p.max = (int)config_int(s.config, "smtpd_process_limit");
	/* for LMTP, where each holds a process: gate counts the others */
	p.client_max = service_client_max(s.config, p.max);
	if (p.client_max == 0)
		p.client_max = service_client_quarter(p.max);
	p.refusal = "421 4.7.0 Error: too many connections from you\r\n";
	service_confine(&s, SANDBOX_FORK);
	sandbox_prepare(0);
	return service_prefork(&s, &p);
}
