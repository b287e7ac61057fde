/*
 * tlsproxy: ends TLS for connections from outside (service tls-server, with
 * the keys) and begins it for those to others (service tls-client, without).
 *
 * The parent reads the keys, gives up its rights and forks one worker a
 * processor; it never touches a connection. The workers share the listening
 * socket and, since the contexts are made before the fork, the keys of
 * session tickets.
 */
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "log/log.h"
#include "service/loop.h"
#include "service/service.h"
#include "tlsproxy/keys.h"
#include "tlsproxy/outgoing.h"
#include "tlsproxy/requests.h"

#define WORKERS_MAX 64
#define FILES_MAX 1048576
#define RESTART_S 1

static struct {
	struct service service;
	struct requests_settings requests;
	pid_t worker[WORKERS_MAX];
	int nworkers;
	sigset_t signals;
	sigset_t former;
} self;

static void stop(void *context)
{
	(void)context;
	requests_drain();
}

static void run_worker(pid_t parent)
{
	struct event_base *base;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		exit(EX_OK);
	sigprocmask(SIG_SETMASK, &self.former, NULL);
	sandbox_enter(0);
	base = loop_new();
	loop_signals(base, stop, NULL, NULL);
	requests_begin(base, &self.requests);
	event_base_dispatch(base);
	exit(EX_OK);
}

static void start_worker(int i)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0)
		run_worker(parent);
	if (pid < 0)
		log_error("cannot start a worker: %m");
	self.worker[i] = pid > 0 ? pid : 0;
}

static void signal_workers(int sig)
{
	for (int i = 0; i < self.nworkers; i++)
		if (self.worker[i] > 0)
			kill(self.worker[i], sig);
}

/* Collects workers that ended; gives how many are left. */
static int collect(bool stopping)
{
	int status, left = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (int i = 0; i < self.nworkers; i++) {
			if (self.worker[i] != pid)
				continue;
			self.worker[i] = 0;
			if (!stopping)
				log_error("worker %ld ended with %s %d",
					  (long)pid,
					  WIFSIGNALED(status) ? "signal"
							      : "status",
					  WIFSIGNALED(status)
						  ? WTERMSIG(status)
						  : WEXITSTATUS(status));
		}
	for (int i = 0; i < self.nworkers; i++)
		left += self.worker[i] > 0;
	return left;
}

/* Starts what is missing. A worker that dies is replaced after a moment, so
 * that one that cannot live does not eat the machine. */
static int supervise(void)
{
	struct timespec pause = { RESTART_S, 0 };
	bool stopping = false;

	for (;;) {
		int left = collect(stopping), sig;

		if (stopping && left == 0)
			return EX_OK;
		sig = left < self.nworkers && !stopping
			      ? sigtimedwait(&self.signals, NULL, &pause)
			      : sigwaitinfo(&self.signals, NULL);
		if (sig == SIGTERM || sig == SIGINT || sig == SIGQUIT) {
			stopping = true;
			signal_workers(sig == SIGQUIT ? SIGKILL : SIGTERM);
		}
		if (sig == SIGHUP) {
			log_reopen();
			signal_workers(SIGHUP);
		}
		for (int i = 0; i < self.nworkers && sig < 0 && !stopping; i++)
			if (self.worker[i] == 0)
				start_worker(i);
	}
}

static void block_signals(void)
{
	static const int list[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGCHLD };

	sigemptyset(&self.signals);
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		sigaddset(&self.signals, list[i]);
	sigprocmask(SIG_BLOCK, &self.signals, &self.former);
}

/* Two descriptors a connection, some for the programs and for us. */
static size_t max_connections(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur < 256)
		return 50;
	return (size_t)(r.rlim_cur - 64) / 3;
}

static void prepare(struct requests_settings *r, struct service *s)
{
	r->service = s;
	r->listener = service_listener(s, "tls-server");
	if (r->listener) {
		r->ctx = keys_read(s->config, &r->why);
		if (!r->ctx && s->again)
			log_die(EX_CONFIG,
				"%s; the former certificates stay "
				"in use",
				r->why);
	} else {
		r->listener = service_listener(s, "tls-client");
		r->outgoing = true;
		r->ctx = outgoing_context(s->config);
	}
	if (!r->listener)
		log_die(EX_USAGE, "neither tls-server nor tls-client is asked "
				  "for");
}

int main(int argc, char **argv)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	service_start(&self.service, argc, argv, "tlsproxy");
	prepare(&self.requests, &self.service);
	sandbox_limit(0, FILES_MAX);
	self.requests.max = max_connections();
	service_confine(&self.service, SANDBOX_FORK);
	block_signals();
	self.nworkers = cores < 1	      ? 1
			: cores > WORKERS_MAX ? WORKERS_MAX
					      : (int)cores;
	for (int i = 0; i < self.nworkers; i++)
		start_worker(i);
	service_ready(&self.service);
	return supervise();
}
