/*
 * A requester is a connection of one of our programs: it sends a request with
 * a descriptor, the handshake runs, and the answer brings the plain end of a
 * pair whose other end is the relay's. While a handshake runs no second
 * request is taken. When a requester disconnects, its handshake is cancelled,
 * but the relays that it was given go on. Connections are counted from the
 * start of a handshake to the end of its relay.
 */
#include "tlsproxy/requests.h"

#include <event2/event_struct.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "ipc/ipc.h"
#include "log/log.h"
#include "service/loop.h"
#include "tlsproxy/context.h"
#include "tlsproxy/handshake.h"
#include "tlsproxy/incoming.h"
#include "tlsproxy/outgoing.h"
#include "tlsproxy/relay.h"

#define HANDSHAKE_MS_MAX 600000
#define HANDSHAKE_MS_DEFAULT 60000

/* A program's connection. */
struct requester {
	struct requester *next;
	struct requester **link;
	int sock;
	struct event input;
	struct handshake *handshake; /* or NULL */
};

static struct {
	struct event_base *base;
	const struct requests_settings *set;
	struct loop_listener *listener;
	struct requester *requesters;
	struct ipc_in in;
	struct ipc_out out;
	size_t connections; /* with a handshake or a relay */
	bool draining;
} self;

static void leave_if_done(void)
{
	if (self.draining && !self.requesters && self.connections == 0)
		event_base_loopbreak(self.base);
}

static void connection_ended(void)
{
	self.connections--;
	leave_if_done();
}

static void remove_requester(struct requester *q)
{
	*q->link = q->next;
	if (q->next)
		q->next->link = q->link;
	event_del(&q->input);
	close(q->sock);
	if (q->handshake) {
		handshake_cancel(q->handshake);
		self.connections--;
	}
	free(q);
	leave_if_done();
}

static bool answer(struct requester *q)
{
	if (ipc_send(q->sock, &self.out, 0) == ERR_OK)
		return true;
	log_debug("a program did not wait for its answer");
	return false;
}

static bool refuse(struct requester *q, const char *why)
{
	ipc_begin(&self.out, "failed");
	ipc_put(&self.out, "why", why);
	return answer(q);
}

static void describe(SSL *ssl)
{
	const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const char *why;

	ipc_begin(&self.out, "ok");
	ipc_put(&self.out, "version", SSL_get_version(ssl));
	ipc_put(&self.out, "cipher", SSL_get_cipher_name(ssl));
	ipc_put_int(&self.out, "bits", SSL_get_cipher_bits(ssl, NULL));
	ipc_put(&self.out, "sni", sni ? sni : "");
	if (!self.set->outgoing)
		return;
	ipc_put_int(&self.out, "verified", outgoing_verified(ssl, &why));
	ipc_put(&self.out, "why", why);
}

/* Gives the program its end of a new PAIR and lets the relay run with the
 * other. */
static bool hand_over(struct requester *q, SSL *ssl, int net, const int *pair)
{
	bool good;

	describe(ssl);
	ipc_put_fd(&self.out, pair[0]);
	good = answer(q);
	close(pair[0]);
	relay_begin(self.base, ssl, net, pair[1], connection_ended);
	return good;
}

static bool on_handshake(void *context, SSL *ssl, int fd, const char *why)
{
	struct requester *q = context;
	int pair[2];
	bool good;

	q->handshake = NULL;
	if (!why &&
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		log_warn("cannot make a socket: %m");
		why = "tlsproxy is out of descriptors";
	}
	if (why) {
		good = refuse(q, why);
		connection_ended();
	} else {
		good = hand_over(q, ssl, fd, pair);
	}
	if (!good || self.draining)
		remove_requester(q);
	return !why;
}

static bool is_stream(int fd)
{
	int type = 0;
	socklen_t len = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       type == SOCK_STREAM;
}

/* Sets SSL up; NULL, or why the request cannot be carried out. */
static const char *prepare(SSL *ssl)
{
	if (!self.set->outgoing)
		return incoming_prepare(ssl, &self.in,
					self.set->service->config);
	SSL_set_connect_state(ssl);
	return outgoing_prepare(ssl, &self.in);
}

/* Why this request is refused at once; or NULL. */
static const char *refusal(int fd)
{
	if (!self.set->ctx)
		return self.set->why;
	if (self.connections >= self.set->max)
		return "too many TLS connections";
	return is_stream(fd) ? NULL : "not a connection";
}

static bool begin(struct requester *q, int fd)
{
	const char *why = refusal(fd);
	SSL *ssl = why ? NULL : SSL_new(self.set->ctx);
	int64_t ms = HANDSHAKE_MS_DEFAULT;
	int on = 1;

	if (!why && !ssl)
		why = context_error();
	if (!why)
		why = prepare(ssl);
	if (why) {
		SSL_free(ssl);
		close(fd);
		return refuse(q, why);
	}
	ipc_int(&self.in, "timeout", 1, HANDSHAKE_MS_MAX, &ms);
	/* the relay writes whole replies: do not delay them */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	self.connections++;
	q->handshake = handshake_begin(self.base, ssl, fd, ms, on_handshake, q);
	return true;
}

static bool take_request(struct requester *q)
{
	const char *verb = self.set->outgoing ? "connect" : "accept";
	int err = ipc_recv(q->sock, &self.in, 0), fd;
	bool good;

	if (err == ERR_BUSY)
		return true;
	if (err)
		return false;
	fd = ipc_take_fd(&self.in);
	if (q->handshake || fd < 0 || !ipc_is(&self.in, verb)) {
		log_warn("malformed request from a program");
		if (fd >= 0)
			close(fd);
		return false;
	}
	good = begin(q, fd);
	ipc_in_reset(&self.in);
	return good;
}

static void on_request(evutil_socket_t fd, short what, void *arg)
{
	struct requester *q = arg;

	(void)fd;
	(void)what;
	if (!take_request(q) || (self.draining && !q->handshake))
		remove_requester(q);
}

static void add_requester(int sock, void *context)
{
	struct requester *q = mem_alloc(sizeof(*q));

	(void)context;
	q->sock = sock;
	q->next = self.requesters;
	q->link = &self.requesters;
	if (q->next)
		q->next->link = &q->next;
	self.requesters = q;
	event_assign(&q->input, self.base, sock, EV_READ | EV_PERSIST,
		     on_request, q);
	event_add(&q->input, NULL);
	/* the request usually comes with the connection */
	event_active(&q->input, EV_READ, 0);
}

void requests_begin(struct event_base *base, const struct requests_settings *s)
{
	self.base = base;
	self.set = s;
	self.listener = loop_serve(base, s->service, s->listener->name,
				   add_requester, NULL);
}

/* Serves what Q has already asked. False: it has nothing to wait for. */
static bool take_last(struct requester *q)
{
	if (q->handshake || (take_request(q) && q->handshake))
		return true;
	if (!ipc_end_input(q->sock) || !take_request(q) || !q->handshake)
		return false;
	/* it can send nothing more, but that is not its end */
	event_del(&q->input);
	return true;
}

void requests_drain(void)
{
	struct requester *q, *next;

	if (self.draining)
		return;
	self.draining = true;
	loop_unlisten(&self.listener);
	for (q = self.requesters; q; q = next) {
		next = q->next;
		if (!take_last(q))
			remove_requester(q);
	}
	leave_if_done();
}
