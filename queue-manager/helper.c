#include "queue-manager/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "log/log.h"
#include "queue-manager/qmgr.h"
#include "server/child.h"
#include "server/watch.h"

#define PACKETS_PER_WAKEUP 32
#define STOP_MS 5000

/* In the child: none of the queue's descriptors stay open, or removed files
 * would keep their space. The log's is below base_fd. */
static void become(struct helper *h, int sock)
{
	int mine = h->base_fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, h->name);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	if (sock != mine && dup2(sock, mine) < 0)
		_exit(EX_OSERR);
	close_range((unsigned)mine + 1, ~0u, 0);
	watch_me(h->watched, true);
	_exit(h->run(h->q, mine));
}

static void bury(struct helper *h)
{
	if (h->event)
		event_free(h->event);
	h->event = NULL;
	close(h->sock);
	h->sock = -1;
	child_end(h->pid);
	log_error("helper %s, process %ld, ended; it is restarted", h->name,
		  (long)h->pid);
	h->died(h->q);
}

static void on_packets(evutil_socket_t sock, short what, void *arg)
{
	struct helper *h = arg;
	struct timeval second = { 1, 0 };
	char c;

	(void)what;
	for (int i = 0; i < PACKETS_PER_WAKEUP && h->read(h->q); i++)
		;
	if (recv((int)sock, &c, 1, MSG_PEEK | MSG_DONTWAIT) != 0)
		return;
	bury(h);
	event_add(h->again, &second);
}

static void on_again(evutil_socket_t sock, short what, void *arg)
{
	struct timeval second = { 1, 0 };
	struct helper *h = arg;

	(void)sock, (void)what;
	helper_start(h);
	if (h->sock < 0)
		event_add(h->again, &second);
}

void helper_start(struct helper *h)
{
	int pair[2];

	if (!h->again)
		h->again = evtimer_new(h->q->base, on_again, h);
	h->sock = -1;
	if (!h->watched && !(h->watched = watch_share(1)))
		log_die(EX_OSERR, "cannot prepare for helpers: %m");
	watch_prepare(h->watched);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		log_error("cannot make a socket pair: %m");
		return;
	}
	h->pid = fork();
	if (h->pid == 0) {
		close(pair[0]);
		become(h, pair[1]);
	}
	close(pair[1]);
	if (h->pid < 0) {
		log_error("cannot start helper %s: %m", h->name);
		close(pair[0]);
		return;
	}
	h->sock = pair[0];
	h->event = event_new(h->q->base, h->sock, EV_READ | EV_PERSIST,
			     on_packets, h);
	event_add(h->event, NULL);
	h->started(h->q);
}

/* Its answers are not wanted now, but while they are unread it could not finish
 * what it was asked for. */
static void drain(int sock)
{
	char c;

	while (recv(sock, &c, 1, MSG_DONTWAIT) > 0)
		;
}

void helper_stop(struct helper *h)
{
	static const struct timespec pause = { 0, 1000000 };
	bool ended;

	if (h->sock < 0)
		return;
	event_free(h->event);
	h->event = NULL;
	shutdown(h->sock, SHUT_WR);
	for (int64_t until = clock_ms() + STOP_MS;;) {
		drain(h->sock);
		ended = waitpid(h->pid, NULL, WNOHANG) != 0;
		if (ended || clock_ms() >= until)
			break;
		nanosleep(&pause, NULL);
	}
	if (!ended)
		child_end(h->pid);
	close(h->sock);
	h->sock = -1;
}

void helper_look(struct helper *h)
{
	if (h->sock >= 0 && watch_look(h->watched, h->pid, h->name))
		link_hung(&h->q->service->link);
}
