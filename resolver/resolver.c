/* The program resolver: DNS for the suite, one cache for all. */
#include <event2/event.h>
#include <sysexits.h>

#include "base/clock.h"
#include "log/log.h"
#include "resolver/context.h"
#include "resolver/peer.h"
#include "resolver/question.h"
#include "service/loop.h"
#include "service/service.h"

#define END_CHECK_MS 100
#define FILES_MAX 4096
#define STEP_LOOK_S 10
#define STEP_MIN_S 60 /* less does not matter */

static struct {
	struct service service;
	struct asker asker;
	struct peers *peers;
	struct loop_listener *listener;
	struct event *ending; /* checks whether all have their answers */
	int64_t end_ms;
	int64_t clock; /* for clock_step */
} self;

static void add_peer(int sock, void *context)
{
	(void)context;
	peers_add(self.peers, sock);
}

static void on_ending(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (peers_end(self.peers) || clock_ms() >= self.end_ms)
		event_base_loopbreak(self.asker.base);
}

/* SIGTERM: the successor already serves; peers that wait here get their
 * answers. */
static void stop(void *context)
{
	static const struct timeval often = { 0, END_CHECK_MS * 1000 };

	(void)context;
	if (self.ending)
		return;
	loop_unlisten(&self.listener);
	self.end_ms = clock_ms() + QUESTION_MS + 1000;
	self.ending =
		event_new(self.asker.base, -1, EV_PERSIST, on_ending, NULL);
	event_add(self.ending, &often);
	on_ending(-1, 0, NULL);
}

/* libunbound expires records by the wall clock: if that was set back they
 * would last that much longer. So a new process starts with an empty cache. */
static void on_look(int fd, short what, void *arg)
{
	int64_t step = clock_step(&self.clock);

	(void)fd;
	(void)what;
	(void)arg;
	if (step > -STEP_MIN_S || self.ending)
		return;
	log_warn("the clock was set back by %lld s: what is cached is dropped",
		 (long long)-step);
	stop(NULL);
}

static void watch_clock(void)
{
	static const struct timeval often = { STEP_LOOK_S, 0 };
	struct event *look =
		event_new(self.asker.base, -1, EV_PERSIST, on_look, NULL);

	clock_step(&self.clock);
	if (!look || event_add(look, &often) < 0)
		log_die(EX_OSERR, "cannot watch the clock");
}

int main(int argc, char **argv)
{
	service_start(&self.service, argc, argv, "resolver");
	self.asker.base = loop_new(&self.service);
	self.asker.under_way = map_new();
	self.asker.ctx = context_new(self.asker.base, self.service.config);
	self.peers = peers_new(&self.asker);
	sandbox_limit(0, FILES_MAX);
	service_confine(&self.service, SANDBOX_INET);
	loop_signals(self.asker.base, stop, NULL, NULL);
	watch_clock();
	self.listener = loop_serve(self.asker.base, &self.service, "resolver",
				   add_peer, NULL);
	service_ready(&self.service);
	event_base_dispatch(self.asker.base);
	return EX_OK;
}
