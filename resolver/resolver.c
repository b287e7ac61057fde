/* The program resolver: DNS for the suite, one cache for all. */
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/file.h"
#include "log/log.h"
#include "resolver/context.h"
#include "resolver/peer.h"
#include "resolver/question.h"
#include "service/service.h"

#define END_CHECK_MS 100
#define FILES_MAX 4096

static struct {
	struct service service;
	struct asker asker;
	struct peers *peers;
	struct event *listener;
	struct event *ending; /* looks whether all have their answers */
	int64_t end_ms;
} self;

static void on_connection(int fd, short what, void *arg)
{
	int peer;

	(void)what;
	(void)arg;
	while ((peer = ipc_accept(fd, self.service.peer, self.service.npeers,
				  NULL)) >= 0 ||
	       errno == EACCES)
		if (peer >= 0)
			peers_add(self.peers, peer);
}

static void on_ending(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (peers_end(self.peers) || clock_ms() >= self.end_ms)
		event_base_loopbreak(self.asker.base);
}

/* SIGTERM: the successor serves already; whoever waits here gets his
 * answer. */
static void on_term(int sig, short what, void *arg)
{
	static const struct timeval often = { 0, END_CHECK_MS * 1000 };

	(void)sig;
	(void)what;
	(void)arg;
	if (self.ending)
		return;
	event_free(self.listener);
	self.end_ms = clock_ms() + QUESTION_MS + 1000;
	self.ending =
		event_new(self.asker.base, -1, EV_PERSIST, on_ending, NULL);
	event_add(self.ending, &often);
	on_ending(-1, 0, NULL);
}

static void on_hangup(int sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	(void)arg;
	log_reopen();
}

static void listen_on(const struct prefork_listener *l)
{
	file_set_nonblock(l->fd, true);
	self.listener = event_new(self.asker.base, l->fd, EV_READ | EV_PERSIST,
				  on_connection, NULL);
	event_add(self.listener, NULL);
}

int main(int argc, char **argv)
{
	const struct prefork_listener *l;

	service_start(&self.service, argc, argv, "resolver");
	l = service_listener(&self.service, "resolver");
	if (!l)
		log_die(EX_USAGE, "got no socket called resolver");
	self.asker.base = event_base_new();
	self.asker.under_way = map_new();
	self.asker.ctx = context_new(self.asker.base, self.service.config);
	self.peers = peers_new(&self.asker);
	sandbox_limit(0, FILES_MAX);
	service_confine(&self.service, SANDBOX_INET);
	event_add(evsignal_new(self.asker.base, SIGTERM, on_term, NULL), NULL);
	event_add(evsignal_new(self.asker.base, SIGINT, on_term, NULL), NULL);
	event_add(evsignal_new(self.asker.base, SIGHUP, on_hangup, NULL), NULL);
	listen_on(l);
	service_ready(&self.service);
	event_base_dispatch(self.asker.base);
	return EX_OK;
}
