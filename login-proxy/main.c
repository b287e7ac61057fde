/*
 * login-proxy: logs users in at the host that serves them, and carries the bytes
 * of their sessions. One loop: a session that is idle costs no process.
 */
#include <event2/event.h>
#include <signal.h>
#include <sys/resource.h>
#include <sysexits.h>

#include "log/log.h"
#include "login-proxy/pass.h"
#include "login-proxy/relay.h"
#include "service/loop.h"
#include "service/service.h"

#define FILES_MAX 1048576
#define FILES_EACH 4 /* a session has two, a login some more for a while */
#define FILES_OWN 64
#define FILES_LEAST 256

static struct {
	struct service service;
	struct event_base *base;
	struct loop_listener *listener;
	bool draining;
} self;

static void leave_if_done(void)
{
	if (self.draining && pass_count() == 0 && relay_count() == 0)
		event_base_loopbreak(self.base);
}

static void take(int sock, void *context)
{
	(void)context;
	pass_begin(sock);
}

/* SIGTERM: another instance serves by now, and open sessions go on. */
static void retire(void *context)
{
	(void)context;
	if (self.draining)
		return;
	self.draining = true;
	loop_unlisten(&self.listener);
	pass_drain();
	leave_if_done();
}

/* SIGINT ends the suite. */
static void on_stop(evutil_socket_t sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	(void)arg;
	relay_stop();
	event_base_loopbreak(self.base);
}

static size_t max_sessions(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur < FILES_LEAST)
		return FILES_LEAST / FILES_EACH / 2;
	return (size_t)(r.rlim_cur - FILES_OWN) / FILES_EACH;
}

static void prepare(void)
{
	const struct config *c = self.service.config;
	struct relay_limits limits = { .all = max_sessions() };

	limits.user = (size_t)service_client_max(c, (int)limits.all);
	limits.pair = (size_t)config_int(c, "mail_max_userip_connections");
	relay_setup(self.base, &limits, leave_if_done);
	pass_setup(self.base, leave_if_done);
}

static void watch_signals(void)
{
	struct event *stop;

	loop_signals(self.base, retire, NULL, NULL);
	stop = evsignal_new(self.base, SIGINT, on_stop, NULL);
	if (!stop || evsignal_add(stop, NULL) < 0)
		log_die(EX_OSERR, "cannot watch for signals");
}

int main(int argc, char **argv)
{
	service_start(&self.service, argc, argv, "login-proxy");
	sandbox_limit(0, FILES_MAX);
	service_confine(&self.service, SANDBOX_INET);
	self.base = loop_new(&self.service);
	watch_signals();
	prepare();
	self.listener =
		loop_serve(self.base, &self.service, "login-proxy", take, NULL);
	service_ready(&self.service);
	event_base_dispatch(self.base);
	return EX_OK;
}
