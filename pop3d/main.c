/*
 * pop3d is one program for two services. `pop3d` talks to strangers on the
 * POP3 ports until they have logged in, in a sandbox without files.
 * `pop3-session` waits, as root, for connections that accountd hands over, and
 * becomes their users. The sockets tell which one a process is.
 */
#include <sysexits.h>

#include "base/str.h"
#include "log/log.h"
#include "pop3d/authorize.h"
#include "pop3d/session.h"
#include "pop3d/uidl.h"
#include "service/service.h"

#define GRACE_S 5
#define SPARE 2
#define USES 1000

struct program {
	struct service service;
	struct login_rules rules;
	struct session_rules session;
};

static bool serve_login(void *context, const struct prefork_listener *l, int fd)
{
	const struct program *p = context;

	authorize_serve(&p->rules, p->session.login_delay, fd,
			str_equal(l->name, "pop3s"));
	return true;
}

static bool serve_session(void *context, const struct prefork_listener *l,
			  int fd)
{
	const struct program *p = context;

	(void)l;
	session_serve(fd, &p->session);
	return false;
}

static void confine_child(void *context)
{
	(void)context;
	sandbox_enter(0);
}

static bool is_proxy(void *context, int fd)
{
	const struct program *p = context;

	return login_is_proxy(&p->rules, fd);
}

static int run_login(struct program *p, struct prefork *set)
{
	set->uses = USES;
	set->sheds = true;
	set->is_proxy = is_proxy;
	set->child_start = confine_child;
	set->serve = serve_login;
	set->refusal = "-ERR [SYS/TEMP] too many logins at once\r\n";
	login_read_rules(&p->rules, p->service.config, "pop3");
	service_confine(&p->service, SANDBOX_FORK);
	sandbox_prepare(0);
	return service_prefork(&p->service, set);
}

static int run_session(struct program *p, struct prefork *set)
{
	const char *fault;

	p->session.uidl_format =
		config_string(p->service.config, "pop3_uidl_format");
	fault = uidl_fault(p->session.uidl_format);
	/* another form would make clients fetch everything again */
	if (fault)
		log_die(EX_CONFIG, "pop3_uidl_format = %s: %s",
			p->session.uidl_format, fault);
	set->serve = serve_session;
	service_confine(&p->service,
			SANDBOX_OPEN | SANDBOX_FORK | SANDBOX_IDENTITY);
	sandbox_prepare(SANDBOX_OPEN);
	return service_prefork(&p->service, set);
}

int main(int argc, char **argv)
{
	struct program p;
	struct prefork set = { .spare = SPARE,
			       .grace_s = GRACE_S,
			       .context = &p };

	service_start(&p.service, argc, argv, "pop3d");
	set.max = (int)config_int(p.service.config, "pop3_process_limit");
	p.session.login_delay =
		config_seconds(p.service.config, "pop3_login_delay");
	set.client_max = service_client_max(p.service.config, set.max);
	set.pair_max = (int)config_int(p.service.config,
				       "mail_max_userip_connections");
	return service_listener(&p.service, "pop3-session")
		       ? run_session(&p, &set)
		       : run_login(&p, &set);
}
