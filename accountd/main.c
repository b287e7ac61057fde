/*
 * accountd: which users exist, where mail for an address goes, whether a
 * password is correct. One loop answers; separate processes check passwords
 * (check.h).
 */
#include <event2/event.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "accountd/check.h"
#include "accountd/elsewhere.h"
#include "accountd/exchange.h"
#include "accountd/find.h"
#include "accountd/lingering.h"
#include "accountd/master.h"
#include "accountd/memo.h"
#include "accountd/recent.h"
#include "accountd/requests.h"
#include "accountd/room.h"
#include "accountd/badge.h"
#include "accountd/shares.h"
#include "accountd/system.h"
#include "accountd/users.h"
#include "accountd/visits.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "log/log.h"
#include "service/loop.h"
#include "service/service.h"

#define FILES_MAX 65536

static struct {
	struct service service;
	pid_t checkers;
} self;

/* Without its checkers accountd is useless: master restarts all of it. */
static void take_child_end(void)
{
	int status;

	if (waitpid(self.checkers, &status, WNOHANG) != self.checkers)
		return;
	log_die(EX_SOFTWARE, "the checkers ended with %s %d",
		WIFSIGNALED(status) ? "signal" : "status",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

/* They may run as root, so that only master can kill them. */
static void checkers_hung(void)
{
	log_error("the checkers, process %ld, gave no sign of life",
		  (long)self.checkers);
	link_give_up(&self.service.link, "its checkers gave no sign of life");
}

static void on_child(evutil_socket_t sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	(void)arg;
	take_child_end();
}

static void stop(void *context)
{
	(void)context;
	lingering_drain();
	visits_drain();
	requests_drain();
}

static void watch_signals(struct event_base *base)
{
	struct event *e = evsignal_new(base, SIGCHLD, on_child, NULL);

	if (!e || event_add(e, NULL) < 0)
		log_die(EX_OSERR, "cannot watch for signals");
	loop_signals(base, stop, NULL, NULL);
}

/* PAM's modules must be root to read what they check. */
static bool can_use_pam(const struct service *s)
{
	bool wanted = config_bool(s->config, "local_users");

	if (wanted && geteuid() != 0)
		log_warn("without root the passwords of system users cannot be "
			 "checked: they cannot log in");
	return wanted && geteuid() == 0;
}

/* Where seals and shares are kept; master has made it, if that was possible. */
static void begin_state(const struct config *c)
{
	char *dir =
		mem_printf("%s/accountd", config_string(c, "data_directory"));
	int code = file_make_dirs(dir, 0700);

	if (code)
		log_debug("%s is not there: %s", dir, err_why(code));
	badge_begin(dir);
	shares_begin(dir);
	free(dir);
}

static void begin_lingering(struct event_base *base, const struct config *c)
{
	int64_t imap = config_int(c, "imap_process_limit");
	int64_t pop3 = config_int(c, "pop3_process_limit");

	lingering_begin(base,
			1000 * config_seconds(c, "session_reuse_time_limit"),
			imap < pop3 ? imap : pop3);
}

static void run(struct service *s, bool pam)
{
	struct event_base *base = loop_new(s);

	watch_signals(base);
	check_begin(base, checkers_hung);
	exchange_setup(base, pam);
	begin_lingering(base, s->config);
	recent_begin(1000 * config_seconds(s->config, "pop3_login_delay"));
	room_begin(base, s->config);
	begin_state(s->config);
	requests_begin(base, s);
	visits_begin(base, s);
	service_ready(s);
	event_base_dispatch(base);
}

int main(int argc, char **argv)
{
	struct service *s = &self.service;
	bool pam;

	service_start(s, argc, argv, "accountd");
	pam = can_use_pam(s);
	users_begin(s->config);
	system_begin(s->config);
	self.checkers =
		check_fork(pam, s->uid, s->gid, service_patience_ms(s->config));
	memo_begin();
	sandbox_limit(0, FILES_MAX);
	/* Internet sockets: users may come from a directory server */
	service_confine(s, SANDBOX_OPEN | SANDBOX_INET);
	find_begin(s->config);
	master_begin(s->config);
	elsewhere_begin(s->config);
	run(s, pam);
	return EX_OK;
}
