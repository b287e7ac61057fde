/*
 * tlsproxy: terminates TLS for incoming connections (service tls-server, with
 * the keys) and starts it on outgoing ones (service tls-client, without).
 *
 * The parent reads the keys, gives up its rights and forks one worker per
 * processor; it never touches a connection. The workers share the listening
 * socket and, since the contexts are made before the fork, the keys of
 * session tickets.
 */
#include <event2/event.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sysexits.h>

#include "log/log.h"
#include "service/loop.h"
#include "service/service.h"
#include "tlsproxy/keys.h"
#include "tlsproxy/outgoing.h"
#include "tlsproxy/requests.h"
#include "tlsproxy/workers.h"

#define FILES_MAX 1048576
#define SPARE_BYTES (1024 * 1024) /* free memory that a worker keeps */

static struct {
	struct service service;
	struct requests_settings requests;
} self;

static void stop(void *context)
{
	(void)context;
	requests_drain();
}

static void work(void)
{
	struct event_base *base;

	sandbox_enter(0);
	/* each session has buffers that come and go: without this they are
	 * asked from the kernel, and page by page, again and again */
	mallopt(M_TRIM_THRESHOLD, SPARE_BYTES);
	base = loop_new(&self.service);
	loop_signals(base, stop, NULL, NULL);
	requests_begin(base, &self.requests);
	event_base_dispatch(base);
}

/* Two descriptors per connection, and some for the programs and ourselves. */
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
		r->ctx = outgoing_context(s->config, &r->why);
	}
	if (!r->listener)
		log_die(EX_USAGE, "neither tls-server nor tls-client is asked "
				  "for");
}

int main(int argc, char **argv)
{
	service_start(&self.service, argc, argv, "tlsproxy");
	prepare(&self.requests, &self.service);
	sandbox_limit(0, FILES_MAX);
	self.requests.max = max_connections();
	service_confine(&self.service, SANDBOX_FORK);
	workers_begin(&self.service, work);
	service_ready(&self.service);
	return workers_supervise(self.requests.why);
}
