#include "tlsproxy/workers.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "log/log.h"
#include "log/relay.h"
#include "server/child.h"
#include "server/watch.h"

#define WORKERS_MAX 64
#define RESTART_MS 1000

static struct {
	struct service *service;
	void (*work)(void);
	struct watched *watched;
	pid_t worker[WORKERS_MAX]; /* 0: none */
	int nworkers;
	int64_t restart_ms; /* none is started before */
	int signals;
	sigset_t former;
	int64_t end_ms;
	bool stopping;
	int status;
} self;

static void block_signals(void)
{
	static const int list[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGCHLD };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		sigaddset(&set, list[i]);
	sigprocmask(SIG_BLOCK, &set, &self.former);
	self.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (self.signals < 0)
		log_die(EX_OSERR, "cannot prepare for signals: %m");
}

static void become_worker(pid_t parent, struct watched *w)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		exit(EX_OK);
	sigprocmask(SIG_SETMASK, &self.former, NULL);
	close(self.signals);
	link_close(&self.service->link);
	watch_me(w, true);
	self.work();
	exit(EX_OK);
}

static void start(int i)
{
	pid_t parent = getpid(), pid;

	watch_prepare(&self.watched[i]);
	pid = relay_fork();
	if (pid == 0)
		become_worker(parent, &self.watched[i]);
	if (pid < 0)
		log_error("cannot start a worker: %m");
	else
		self.worker[i] = pid;
}

/* Starts missing workers. One that dies is replaced after a moment, so that
 * one that keeps dying does not use up the machine. */
static void start_missing(void)
{
	if (self.stopping || clock_ms() < self.restart_ms)
		return;
	for (int i = 0; i < self.nworkers; i++)
		if (!self.worker[i])
			start(i);
	self.restart_ms = clock_ms() + RESTART_MS;
}

static void signal_all(int sig)
{
	for (int i = 0; i < self.nworkers; i++)
		if (self.worker[i])
			kill(self.worker[i], sig);
}

static int count(void)
{
	int n = 0;

	for (int i = 0; i < self.nworkers; i++)
		n += self.worker[i] != 0;
	return n;
}

static void collect(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (int i = 0; i < self.nworkers; i++) {
			if (self.worker[i] != pid)
				continue;
			self.worker[i] = 0;
			if (!self.stopping)
				child_report(pid, status);
		}
}

static void take_signals(void)
{
	struct signalfd_siginfo info;

	while (read(self.signals, &info, sizeof(info)) > 0) {
		int sig = (int)info.ssi_signo;

		if (sig == SIGHUP)
			log_reopen();
		if (sig == SIGHUP)
			signal_all(SIGHUP);
		if (sig != SIGTERM && sig != SIGINT && sig != SIGQUIT)
			continue;
		self.stopping = true;
		signal_all(sig == SIGQUIT ? SIGKILL : SIGTERM);
	}
}

static void look_at_workers(void)
{
	watch_round();
	for (int i = 0; i < self.nworkers; i++)
		if (self.worker[i] &&
		    watch_look(&self.watched[i], self.worker[i], "worker"))
			link_hung(&self.service->link);
}

void workers_begin(struct service *s, void (*work)(void))
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	self.service = s;
	self.work = work;
	watch_begin(service_patience_ms(s->config));
	self.watched = watch_share(WORKERS_MAX);
	if (!self.watched)
		log_die(EX_OSERR, "cannot prepare for workers: %m");
	self.nworkers = cores < 1	      ? 1
			: cores > WORKERS_MAX ? WORKERS_MAX
					      : (int)cores;
	block_signals();
}

/* How long to wait for descriptors before something else is due. */
static int turn(void)
{
	bool missing = count() < self.nworkers || self.end_ms < INT64_MAX;
	int ms = watch_turn_ms();

	missing = missing && !self.stopping;
	return missing && (ms < 0 || ms > RESTART_MS) ? RESTART_MS : ms;
}

static void end_because(const char *why)
{
	link_last_words(&self.service->link, why);
	self.stopping = true;
	self.status = EX_CONFIG;
	signal_all(SIGTERM);
}

int workers_supervise(const char *why)
{
	struct link *l = &self.service->link;

	self.end_ms = why ? clock_ms() + PREFORK_POOR_MS : INT64_MAX;
	for (;;) {
		struct pollfd p[] = { { .fd = self.signals, .events = POLLIN },
				      { .fd = l->fd, .events = POLLIN },
				      { .fd = relay_fd(), .events = POLLIN } };

		start_missing();
		if (poll(p, 3, relay_turn(turn())) < 0 && errno != EINTR)
			return EX_OSERR;
		take_signals();
		relay_read(); /* before it is said how they ended */
		collect();
		if (p[1].revents && link_read(l) == LINK_ENDED)
			prefork_abandon(self.service->listener,
					self.service->nlisteners);
		look_at_workers();
		if (!self.stopping && clock_ms() >= self.end_ms)
			end_because(why);
		if (self.stopping && count() == 0) {
			relay_drain();
			return self.status;
		}
	}
}
