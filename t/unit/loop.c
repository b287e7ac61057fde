/* Listening in an event loop: service/loop.h. */
#include "service/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "ipc/ipc.h"
#include "tap.h"

static struct {
	struct event_base *base;
	struct loop_listener *listener;
	int shortages; /* to feign */
	int calls;
	int taken;
	int stops;
} self;

static int take(int listener, void *context)
{
	int sock;

	(void)context;
	self.calls++;
	if (self.shortages > 0) {
		self.shortages--;
		errno = EMFILE;
		return -1;
	}
	sock = ipc_accept_any(listener, NULL);
	if (sock >= 0) {
		self.taken++;
		close(sock);
		event_base_loopbreak(self.base);
	}
	return sock;
}

static void stop(void *context)
{
	(void)context;
	self.stops++;
	loop_unlisten(&self.listener);
	event_base_loopbreak(self.base);
}

static void test_shortage(const char *path)
{
	int64_t before = clock_ms();
	int sock = ipc_connect(path);

	self.shortages = 1;
	event_base_dispatch(self.base);
	ok(self.taken == 1, "a connection is taken after a shortage");
	ok(self.calls == 2, "and not tried again and again meanwhile");
	ok(clock_ms() - before >= 900, "but after a second");
	close(sock);
}

static void test_stop(void)
{
	raise(SIGTERM);
	event_base_dispatch(self.base);
	ok(self.stops == 1, "SIGTERM calls stop");
	ok(!self.listener, "a listener that ended is NULL");
	loop_unlisten(&self.listener);
	ok(!self.listener, "ending it twice does nothing");
}

int main(void)
{
	char dir[] = "/tmp/ph-loop-XXXXXX", path[64];
	struct prefork_listener l = { .name = "test" };

	if (!mkdtemp(dir))
		return EXIT_FAILURE;
	snprintf(path, sizeof(path), "%s/socket", dir);
	l.fd = ipc_listen(path, 0600, 5);
	self.base = loop_new(NULL);
	loop_signals(self.base, stop, NULL, NULL);
	self.listener = loop_listen(self.base, &l, take, NULL);
	test_shortage(path);
	test_stop();
	unlink(path);
	rmdir(dir);
	return done();
}
